from datetime import UTC, datetime, timedelta
from typing import Any

from turnabout.sources.table.conversation import LoggedConversation
from turnabout.sources.traffic.payloads import Said
from turnabout.sources.traffic.turns import Turn, by_session, conversation, preference, verdict

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def turn(nth: int, reply: str, *said: str, session: str | None = "s", **fields: Any) -> Turn:
    """A turn `nth` minutes after noon; what was said alternates, the user last."""
    roles = ["user" if (len(said) - place) % 2 else "assistant" for place in range(len(said))]
    asked = [Said(role, text) for role, text in zip(roles, said, strict=True)]
    at = NOON + timedelta(minutes=nth)
    return Turn(**{"trace_id": f"t{nth}", "session": session, "asked": asked, "reply": reply, "at": at, **fields})


def texts(told: LoggedConversation) -> list[str]:
    return [message.text for message in told.messages]


def test_inputs_without_history_are_strung_together() -> None:
    told = conversation("s", [turn(0, "b", "a"), turn(1, "d", "c"), turn(2, "d", "c")])
    assert texts(told) == ["a", "b", "c", "d", "c", "d"]
    assert [message.at for message in told.messages][2:4] == [NOON + timedelta(minutes=1), None]


def test_of_inputs_with_history_only_what_is_new_counts() -> None:
    told = conversation("s", [turn(0, "b", "a"), turn(1, "d", "a", "b", "c"), turn(2, "f", "b", "c", "d", "e")])
    assert texts(told) == ["a", "b", "c", "d", "e", "f"]


def test_a_system_prompt_that_comes_every_time_stands_once() -> None:
    system = Said("system", "Be kind.")
    turns = [turn(0, "b", "a"), turn(1, "d", "c")]
    for each in turns:
        each.asked = [system, *each.asked]
    assert texts(conversation("s", turns)) == ["Be kind.", "a", "b", "c", "d"]


def test_calls_of_tools_before_the_reply_belong_to_its_turn() -> None:
    later = turn(1, "d", "a", "b", "c")
    later.asked += [Said("assistant", ""), Said("tool", "3")]
    assert texts(conversation("s", [turn(0, "b", "a"), later])) == ["a", "b", "c", "", "3", "d"]


def test_the_same_input_with_history_again_is_a_regeneration() -> None:
    rated = ((1, "d", -1), (2, "D", None), (3, "Δ", 1))
    again = [turn(nth, text, "a", "b", "c", rating=rating) for nth, text, rating in rated]
    told = conversation("s", [turn(0, "b", "a"), *again, turn(4, "f", "a", "b", "c", "Δ", "e")])
    assert texts(told) == ["a", "b", "c", "Δ", "e", "f"]
    reply = told.messages[3]
    assert reply.alternatives == ["d", "D"]
    assert reply.preferences == [1.0, None]  # nobody rated D
    assert reply.rating == 1
    assert told.messages[5].alternatives is None
    for each in again:
        each.rating = None
    unrated = conversation("s", [turn(0, "b", "a"), *again]).messages[3]
    assert (unrated.alternatives, unrated.preferences) == (["d", "D"], None)


def test_sessions_that_interleave_are_told_apart_and_come_as_they_began() -> None:
    turns = [turn(1, "y", "x", session="late"), turn(2, "d", "c"), turn(0, "b", "a"), turn(3, "o", "q", session=None)]
    told = list(by_session(turns, "test"))
    assert [(item.conversation_id, texts(item)) for item in told if isinstance(item, LoggedConversation)] == [
        ("s", ["a", "b", "c", "d"]),
        ("late", ["x", "y"]),
        ("t3", ["q", "o"]),
    ]


def test_of_the_records_of_a_trace_the_highest_then_the_latest_counts() -> None:
    records = [
        turn(0, "root", "a", trace_id="t", rank=1),
        turn(1, "part", "a", trace_id="t", rank=0),
        turn(2, "first", "a", trace_id="u", rank=0),
        turn(3, "last", "a", trace_id="u", rank=0),
    ]
    (told,) = by_session(records, "test")
    assert isinstance(told, LoggedConversation)
    assert texts(told) == ["a", "root", "a", "last"]


def test_a_trace_that_comes_twice_is_read_once_and_the_earlier_record_rejected() -> None:
    first, late, early = (
        turn(nth, text, "a", trace_id="t", where=f"log:{line}")
        for nth, text, line in ((1, "b", 1), (2, "B", 2), (0, "x", 3))
    )
    *rejected, told = by_session([first, late, early], "test")
    assert isinstance(told, LoggedConversation)
    assert texts(told) == ["a", "B"]
    reason = "trace id: occurs again, and the latest record of a trace counts"
    assert rejected == [
        {"source": "test", "record": "log:1", "reason": reason, "excerpt": "b"},
        {"source": "test", "record": "log:3", "reason": reason, "excerpt": "x"},
    ]


def test_rejects_pass_and_a_lone_surrogate_is_one() -> None:
    reject = {"source": "test", "record": "r", "reason": "broken", "excerpt": ""}
    told = list(by_session([reject, turn(0, "\ud800", "a")], "test"))
    assert told[0] is reject
    assert told[1] == {
        **reject,
        "record": "t0",
        "reason": "text: a lone surrogate character, which no encoding can write",
        "excerpt": "?",
    }


def test_feedback_is_a_rating_or_a_reaction() -> None:
    assert [verdict(value) for value in (True, False, 4, "👍", "", None, ["x"])] == [
        (1.0, None),
        (-1.0, None),
        (4.0, None),
        (None, "👍"),
        (None, None),
        (None, None),
        (None, None),
    ]


def test_a_preference_compares_two_ratings() -> None:
    assert [preference(1, -1), preference(2, 3), preference(1, 1), preference(1, None), preference(None, None)] == [
        1.0,
        -1.0,
        0.0,
        None,
        None,
    ]
