from datetime import UTC, datetime, timedelta
from typing import Any

from turnabout.sources.table.conversation import LoggedConversation
from turnabout.sources.table.rejects import Reject
from turnabout.sources.traffic.payloads import InputMessage
from turnabout.sources.traffic.turns import Turn, build_conversation, compare_ratings, group_by_session, parse_feedback

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def build_turn(nth: int, reply: str, *texts: str, session: str | None = "s", **fields: Any) -> Turn:
    """Return a turn `nth` minutes after noon; roles alternate, the user last."""
    roles = ["user" if (len(texts) - index) % 2 else "assistant" for index in range(len(texts))]
    messages = [InputMessage(role, text) for role, text in zip(roles, texts, strict=True)]
    at = NOON + timedelta(minutes=nth)
    return Turn(**{"trace_id": f"t{nth}", "session": session, "input": messages, "reply": reply, "at": at, **fields})


def list_texts(result: LoggedConversation) -> list[str]:
    return [message.text for message in result.messages]


def test_inputs_without_history_are_concatenated() -> None:
    result = build_conversation("s", [build_turn(0, "b", "a"), build_turn(1, "d", "c"), build_turn(2, "d", "c")])
    assert list_texts(result) == ["a", "b", "c", "d", "c", "d"]
    assert [message.at for message in result.messages][2:4] == [NOON + timedelta(minutes=1), None]


def test_only_new_messages_of_inputs_with_history_are_added() -> None:
    result = build_conversation(
        "s", [build_turn(0, "b", "a"), build_turn(1, "d", "a", "b", "c"), build_turn(2, "f", "b", "c", "d", "e")]
    )
    assert list_texts(result) == ["a", "b", "c", "d", "e", "f"]


def test_repeated_system_prompt_is_kept_once() -> None:
    system = InputMessage("system", "Be kind.")
    turns = [build_turn(0, "b", "a"), build_turn(1, "d", "c")]
    for turn in turns:
        turn.input = [system, *turn.input]
    assert list_texts(build_conversation("s", turns)) == ["Be kind.", "a", "b", "c", "d"]


def test_tool_calls_before_the_reply_belong_to_its_turn() -> None:
    later = build_turn(1, "d", "a", "b", "c")
    later.input += [InputMessage("assistant", ""), InputMessage("tool", "3")]
    assert list_texts(build_conversation("s", [build_turn(0, "b", "a"), later])) == ["a", "b", "c", "", "3", "d"]


def test_repeated_input_with_history_is_a_regeneration() -> None:
    rated = ((1, "d", -1), (2, "D", None), (3, "Δ", 1))
    again = [build_turn(nth, text, "a", "b", "c", rating=rating) for nth, text, rating in rated]
    result = build_conversation("s", [build_turn(0, "b", "a"), *again, build_turn(4, "f", "a", "b", "c", "Δ", "e")])
    assert list_texts(result) == ["a", "b", "c", "Δ", "e", "f"]
    reply = result.messages[3]
    assert reply.alternatives == ["d", "D"]
    assert reply.preferences == [1.0, None]  # nobody rated D
    assert reply.rating == 1
    assert result.messages[5].alternatives is None
    for turn in again:
        turn.rating = None
    unrated = build_conversation("s", [build_turn(0, "b", "a"), *again]).messages[3]
    assert (unrated.alternatives, unrated.preferences) == (["d", "D"], None)


def test_interleaved_sessions_are_separated_in_order_of_start() -> None:
    turns = [
        build_turn(1, "y", "x", session="late"),
        build_turn(2, "d", "c"),
        build_turn(0, "b", "a"),
        build_turn(3, "o", "q", session=None),
    ]
    result = list(group_by_session(turns, "test"))
    assert [(item.conversation_id, list_texts(item)) for item in result if isinstance(item, LoggedConversation)] == [
        ("s", ["a", "b", "c", "d"]),
        ("late", ["x", "y"]),
        ("t3", ["q", "o"]),
    ]


def test_latest_record_of_the_highest_rank_counts() -> None:
    records = [
        build_turn(0, "root", "a", trace_id="t", rank=1),
        build_turn(1, "part", "a", trace_id="t", rank=0),
        build_turn(2, "first", "a", trace_id="u", rank=0),
        build_turn(3, "last", "a", trace_id="u", rank=0),
    ]
    (result,) = group_by_session(records, "test")
    assert isinstance(result, LoggedConversation)
    assert list_texts(result) == ["a", "root", "a", "last"]


def test_earlier_record_of_a_repeated_trace_is_rejected() -> None:
    first, late, early = (
        build_turn(nth, text, "a", trace_id="t", location=f"log:{line}")
        for nth, text, line in ((1, "b", 1), (2, "B", 2), (0, "x", 3))
    )
    *rejected, result = group_by_session([first, late, early], "test")
    assert isinstance(result, LoggedConversation)
    assert list_texts(result) == ["a", "B"]
    reason = "trace id: occurs again, and the latest record of a trace counts"
    assert rejected == [
        Reject(source="test", record="log:1", reason=reason, excerpt="b"),
        Reject(source="test", record="log:3", reason=reason, excerpt="x"),
    ]


def test_rejects_pass_and_a_lone_surrogate_is_rejected() -> None:
    reject = Reject(source="test", record="r", reason="broken", excerpt="")
    result = list(group_by_session([reject, build_turn(0, "\ud800", "a")], "test"))
    assert result[0] is reject
    reason = "text: a lone surrogate character, which no encoding can write"
    assert result[1] == reject._replace(record="t0", reason=reason, excerpt="?")


def test_feedback_is_a_rating_or_a_reaction() -> None:
    assert [parse_feedback(value) for value in (True, False, 4, "👍", "", None, ["x"])] == [
        (1.0, None),
        (-1.0, None),
        (4.0, None),
        (None, "👍"),
        (None, None),
        (None, None),
        (None, None),
    ]


def test_preference_compares_two_ratings() -> None:
    pairs = ((1, -1), (2, 3), (1, 1), (1, None), (None, None))
    assert [compare_ratings(own, other) for own, other in pairs] == [1.0, -1.0, 0.0, None, None]
