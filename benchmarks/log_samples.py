"""One made-up record of each log format of files, every text of it with a mark by which its record is found again."""

from typing import Any

#: Key, parent, children and role of each message of a tree.
TREE_MESSAGES: tuple[tuple[str, str | None, list[str], str], ...] = (
    ("a", None, ["b", "c"], "user"),
    ("b", "a", [], "assistant"),
    ("c", "a", [], "assistant"),
)


def build_turns(mark: str, speaker: str, user: str, assistant: str, text: str) -> list[dict[str, Any]]:
    """Two exchanges, in the names that a format has for speakers and texts."""
    sentences = ("How so?", "Like so.", "Thanks!", "Any time.")
    return [{speaker: (user, assistant)[index % 2], text: f"{told} {mark}"} for index, told in enumerate(sentences)]


def build_samples(mark: str) -> dict[str, dict[str, Any]]:
    """A record by format."""
    messages = build_turns(mark, "role", "user", "assistant", "content")
    moderation = [{"flagged": True, "categories": {"hate": True}, "category_scores": {"hate": 0.7}}] * 4
    replies = [
        {
            "turn": 0,
            "role": "model",
            "content": f"{name} {mark}",
            "model_name": name,
            "score": 80,
            "if_chosen": name == "b",
        }
        for name in ("a", "b")
    ]
    nodes = {
        key: {"id": key, "parentId": parent, "childrenIds": list(below), "role": role, "content": f"{key}. {mark}"}
        for key, parent, below, role in TREE_MESSAGES
    }
    leaves: list[dict[str, Any]] = [
        {
            "message_id": f"{n}{mark}",
            "user_id": "u2",
            "text": f"{n} {mark}",
            "role": "assistant",
            "rank": n,
            "replies": [],
        }
        for n in (0, 1)
    ]
    return {
        "openai": {
            "conversation_id": mark,
            "user_id": "ann",
            "model": "m",
            "messages": [{**told, "created_at": 1714550400, "rating": 1.0, "alternatives": [mark]} for told in messages],
        },
        "messages": {
            "conversation_id": mark,
            "role": "user",
            "text": f"How so? {mark}",
            "at": 1714550400,
            "user_id": f"ann {mark}",
            "team": mark,
        },
        "chat_completions": {
            "request": {"model": "m", "user": f"ann {mark}", "messages": messages[:3]},
            "response": {"id": mark, "created": 1714550400, "choices": [{"index": 0, "message": messages[3]}]},
        },
        "sharegpt": {"id": mark, "conversations": build_turns(mark, "from", "human", "gpt", "value")},
        "wildchat": {
            "conversation_hash": mark,
            "model": "m",
            "timestamp": "2023-05-02T10:00:09Z",
            "language": "French",
            "hashed_ip": "9ab0",
            "conversation": [
                {**told, "toxic": False, "redacted": False, "turn_identifier": 4, "timestamp": "2023-05-02T10:00:09Z"}
                for told in messages
            ],
            "openai_moderation": moderation,
            "detoxify_moderation": [{"toxicity": 0.8}] * 4,
        },
        "lmsys": {
            "conversation_id": mark,
            "model": "m",
            "turn": 2,
            "language": "English",
            "redacted": False,
            "conversation": messages,
            "openai_moderation": moderation,
        },
        "hh": {
            "chosen": f"\n\nHuman: How so? {mark}\n\nAssistant: Like so. {mark}",
            "rejected": f"\n\nHuman: How so? {mark}\n\nAssistant: No. {mark}",
        },
        "prism": {
            "conversation_id": mark,
            "user_id": "user3",
            "generated_datetime": "2023-12-01 09:30:00",
            "conversation_history": [
                {"turn": 0, "role": "user", "content": f"Is tea good? {mark}"},
                *replies,
            ],
        },
        "open_webui": {
            "id": mark,
            "user_id": "ann",
            "title": "Trip",
            "chat": {"history": {"currentId": "b", "messages": nodes}},
        },
        "oasst": {
            "message_tree_id": mark,
            "tree_state": "ready_for_export",
            "prompt": {
                "message_id": mark,
                "user_id": "u1",
                "text": f"How so? {mark}",
                "role": "prompter",
                "lang": "en",
                "created_date": "2023-01-05T10:00:00+00:00",
                "replies": leaves,
            },
        },
        "langfuse": {
            "id": mark,
            "sessionId": mark,
            "userId": "ann",
            "timestamp": "2024-05-01T08:00:00Z",
            "input": messages[:3],
            "output": f"Any time. {mark}",
        },
    }
