import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from turnabout.sources.open_webui import OpenWebui
from turnabout.sources.table.batches import Batch

REASONING = '<details type="reasoning" done="true" duration="2">\n<summary>Thought</summary>\n> Oslo?\n</details>\n'


def build_node(parent: str | None, role: str, content: Any, *children: str, **fields: Any) -> dict[str, Any]:
    return {"parentId": parent, "childrenIds": list(children), "role": role, "content": content, **fields}


def build_trip(**reply: Any) -> dict[str, dict[str, Any]]:
    """Return a question with two replies, the second one current.

    The follow-up to it exists in two versions.
    """
    return {
        "a": build_node(None, "user", "Rome or Oslo?", "b", "d", timestamp=1714550400),
        "b": build_node("a", "assistant", "Hm.", model="m-7"),
        "d": build_node("a", "assistant", REASONING + "Oslo.", "e", "g", model="m-7", timestamp=1714550409, **reply),
        "e": build_node("d", "user", "Wen?", "f"),
        "f": build_node("e", "assistant", "Sorry?"),
        "g": build_node("d", "user", "When?", "h"),
        "h": build_node("g", "assistant", "In June."),
    }


def build_chat(messages: dict[str, dict[str, Any]], current: str | None, **fields: Any) -> dict[str, Any]:
    history = {"messages": messages, "currentId": current}
    return {"id": "c1", "user_id": "ann", "title": "Trip", "chat": {"history": history, "models": ["m-7"], **fields}}


def build_feedback(message: str, messages: dict[str, dict[str, Any]], current: str, **data: Any) -> dict[str, Any]:
    meta = {"chat_id": "c1", "message_id": message, "arena": False}
    return {"id": "f1", "user_id": "ann", "type": "rating", "data": data, "meta": meta} | {
        "snapshot": {"chat": build_chat(messages, current)}
    }


def read_batch(folder: Path, *items: Any) -> Batch:
    (folder / "export.json").write_text(json.dumps(items))
    source = OpenWebui(path=str(folder))
    (batch,) = source.read_batches(source.list_pieces()[0])
    return batch


def test_current_branch_is_the_conversation(tmp_path: Path) -> None:
    messages = read_batch(tmp_path, build_chat(build_trip(), "h")).messages
    assert messages.select("conversation_id", "role", "text", "user_key", "model", "alternatives").rows() == [
        ("c1", "user", "Rome or Oslo?", "ann", None, None),
        ("c1", "assistant", "Oslo.", None, "m-7", ["Hm."]),
        ("c1", "user", "When?", "ann", None, None),
        ("c1", "assistant", "In June.", None, None, None),
    ]
    # date -u -d @1714550409 prints 2024-05-01 08:00:09
    assert messages["at"].to_list()[1] == datetime(2024, 5, 1, 8, 0, 9, tzinfo=UTC)
    assert messages["extras"].to_list() == ['{"conversation": {"title": "Trip"}}', "{}", "{}", "{}"]


def test_rating_reason_and_edit_are_kept(tmp_path: Path) -> None:
    annotation = {"rating": -1, "reason": "too_short", "comment": "", "tags": ["travel"], "details": {"rating": 3}}
    messages = read_batch(
        tmp_path, build_chat(build_trip(annotation=annotation, originalContent="Oslo, maybe."), "d")
    ).messages
    reply = messages.row(1, named=True)
    assert (reply["rating"], reply["text"], reply["edited_text"]) == (-1.0, "Oslo, maybe.", "Oslo.")
    annotated = '{"annotation": {"details": {"rating": 3}, "reason": "too_short", "tags": ["travel"]}}'
    assert reply["extras"] == annotated


@pytest.mark.parametrize(
    ("own", "other", "side_by_side", "expected"),
    [
        (1, None, False, None),  # a regeneration that nobody compared
        (1, None, True, [1.0]),
        (-1, None, True, [-1.0]),
        (None, 1, True, [-1.0]),
        (None, None, True, [None]),  # there to be compared, but nobody did
        (1, -1, False, [1.0]),
        (1, 1, True, [0.0]),
    ],
)
def test_replies_side_by_side_are_compared_like_the_leaderboard(
    tmp_path: Path, own: int | None, other: int | None, side_by_side: bool, expected: list[float | None] | None
) -> None:
    messages = build_trip(annotation={"rating": own}, modelIdx=0)
    messages["b"] |= {"annotation": {"rating": other}, "modelIdx": int(side_by_side)}
    assert read_batch(tmp_path, build_chat(messages, "d")).messages["preferences"].to_list() == [None, expected]


def test_system_prompt_comes_first_and_errors_are_kept(tmp_path: Path) -> None:
    messages = {
        "a": build_node(None, "user", "hi", "b"),
        "b": build_node("a", "assistant", "", error={"content": "no model"}),
    }
    table = read_batch(tmp_path, build_chat(messages, "b", params={"system": "Be kind."})).messages
    assert table["role"].to_list() == ["system", "user", "assistant"]
    assert table["extras"].to_list()[2] == '{"error": {"content": "no model"}}'


def test_feedback_gives_the_branch_of_the_rated_message(tmp_path: Path) -> None:
    messages = read_batch(
        tmp_path, build_feedback("f", build_trip(), "h", rating=-1, reason="other", model_id="m-7")
    ).messages
    assert messages["text"].to_list() == ["Rome or Oslo?", "Oslo.", "Wen?", "Sorry?"]
    assert messages["rating"].to_list() == [None, None, None, -1.0]
    assert messages["extras"].to_list()[3] == '{"annotation": {"model_id": "m-7", "reason": "other"}}'


def test_feedback_on_the_current_branch_keeps_it_whole(tmp_path: Path) -> None:
    messages = read_batch(tmp_path, build_feedback("d", build_trip(), "h", rating="1")).messages
    assert messages["text"].to_list() == ["Rome or Oslo?", "Oslo.", "When?", "In June."]
    assert messages["rating"].to_list() == [None, 1.0, None, None]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (build_chat({}, None), "history: no current message"),
        (build_chat({}, "x"), "history: the current message does not lead back to the first"),
        (
            build_chat({"a": build_node("a", "user", "x")}, "a"),
            "history: the current message does not lead back to the first",
        ),
        (
            build_chat({"a": build_node(None, "user", 5)}, "a"),
            "chat.history.messages.content: expected `str | array | null`, got `int`",
        ),
        (build_chat({"a": build_node(None, "bot", "x")}, "a"), "chat.history.messages.role: invalid enum value 'bot'"),
        (build_chat(build_trip(annotation={"rating": 5}), "d"), "annotation.rating: expected 1, 0 or -1, got 5"),
        (
            build_chat(build_trip() | {"a": build_trip()["a"] | {"timestamp": "noon"}}, "d"),
            "timestamp: expected Unix time or ISO 8601",
        ),
        (build_feedback("z", build_trip(), "d", rating=1), "meta.message_id: not among the messages of the snapshot"),
        (["x"], "expected `object`, got `array`"),
    ],
)
def test_record_of_another_shape_is_rejected_with_the_reason(tmp_path: Path, item: Any, reason: str) -> None:
    batch = read_batch(tmp_path, item, build_chat(build_trip(), "d"))
    assert batch.messages.height == 2
    (rejected,) = batch.quarantine.to_dicts()
    assert reason in rejected["reason"]
    assert rejected["record"] == "export.json:[0]"


def test_both_exports_are_recognised() -> None:
    assert OpenWebui.recognises(build_chat(build_trip(), "d"))
    assert OpenWebui.recognises(build_feedback("d", build_trip(), "d", rating=1))
    assert not OpenWebui.recognises({"messages": [{"role": "user", "content": "hi"}]})
    assert not OpenWebui.recognises({"chat": {"history": []}})
