"""One made-up record of each log format of files.

Every text of a record holds a mark that identifies the record.
"""

from typing import Any

#: Key, parent, children and role of each message of a tree.
TREE_MESSAGES: tuple[tuple[str, str | None, list[str], str], ...] = (
    ("a", None, ["b", "c"], "user"),
    ("b", "a", [], "assistant"),
    ("c", "a", [], "assistant"),
)


def build_turns(mark: str, *, role_key: str, roles: tuple[str, str], text_key: str) -> list[dict[str, Any]]:
    """Return two exchanges with the keys and roles of a format.

    `roles` are those of user and assistant.
    """
    sentences = ("How so?", "Like so.", "Thanks!", "Any time.")
    return [{role_key: roles[index % 2], text_key: f"{text} {mark}"} for index, text in enumerate(sentences)]


def build_samples(mark: str) -> dict[str, dict[str, Any]]:
    """Return one record of each format, by format."""
    messages = build_turns(mark, role_key="role", roles=("user", "assistant"), text_key="content")
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
            "messages": [
                {**message, "created_at": 1714550400, "rating": 1.0, "alternatives": [mark]} for message in messages
            ],
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
        "sharegpt": {
            "id": mark,
            "conversations": build_turns(mark, role_key="from", roles=("human", "gpt"), text_key="value"),
        },
        "wildchat": {
            "conversation_hash": mark,
            "model": "m",
            "timestamp": "2023-05-02T10:00:09Z",
            "language": "French",
            "hashed_ip": "9ab0",
            "conversation": [
                {
                    **message,
                    "toxic": False,
                    "redacted": False,
                    "turn_identifier": 4,
                    "timestamp": "2023-05-02T10:00:09Z",
                }
                for message in messages
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
            "name": "chat",
            "input": {"messages": messages[:3]},
            "output": {"role": "assistant", "content": f"Any time. {mark}"},
            "scores": [{"name": "user-feedback", "source": "API", "dataType": "BOOLEAN", "value": 0}],
        },
    }
