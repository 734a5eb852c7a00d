"""Exchanges and histories: the two views every later stage reads the flat table by."""

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.core.conversations import EXCHANGES, add_histories, build_exchanges


def log(*rows: tuple[str, str], conversation_id: str = "c1", **columns: object) -> pl.DataFrame:
    """A message table of (role, text) rows; users are called ann."""
    return pl.DataFrame(
        [
            {
                "conversation_id": conversation_id,
                "message_index": index,
                "role": role,
                "text": text,
                "user_key": "ann" if role == "user" else None,
                **columns,
            }
            for index, (role, text) in enumerate(rows)
        ],
        schema=schemas.MESSAGES,
    )


def seen(messages: pl.DataFrame) -> list[tuple[object, ...]]:
    """What the tests look at: where, and the three texts."""
    return (
        build_exchanges(messages).select("reply_index", "previous_user", "reply", "evidence_index", "follow_up").rows()
    )


def test_a_reply_stands_between_two_user_turns(messages):
    assert seen(messages("c1", "q1", "r1", "q2", "r2")) == [(1, "q1", "r1", 2, "q2"), (3, "q2", "r2", None, None)]


def test_a_reply_that_opens_the_conversation_has_no_user_turn_before_it():
    assert seen(log(("assistant", "hello"), ("user", "hi"))) == [(0, None, "hello", 1, "hi")]


def test_the_user_reacts_to_the_last_of_several_replies():
    rows = log(("user", "q"), ("assistant", "a"), ("assistant", "b"), ("user", "thanks"))
    assert seen(rows) == [(1, "q", "a", None, None), (2, "q", "b", 3, "thanks")]


def test_a_tool_message_takes_the_follow_up_from_the_reply_before_it():
    rows = log(("user", "q"), ("assistant", "let me look"), ("tool", "{}"), ("assistant", "done"), ("user", "thanks"))
    assert seen(rows) == [(1, "q", "let me look", None, None), (3, "q", "done", 4, "thanks")]


def test_the_nearest_user_messages_count_in_a_burst():
    rows = log(("user", "q1"), ("user", "q2"), ("assistant", "r"), ("user", "f1"), ("user", "f2"))
    assert seen(rows) == [(2, "q2", "r", 3, "f1")]


def test_what_a_branch_repeats_of_another_conversation_is_no_exchange_of_its_own():
    extras = '{"conversation": {"branch_of": "c1", "n_shared": %d}}'
    rows = [("user", "q1"), ("assistant", "r1"), ("user", "q2"), ("assistant", "r2"), ("user", "q3")]
    assert [row[0] for row in seen(log(*rows, extras=extras % 3))] == [3]  # q2 answers r1 in the other one already
    assert [row[0] for row in seen(log(*rows, extras=extras % 2))] == [1, 3]  # q2 is this one's own
    assert seen(log(*rows, extras=extras % 4))[0] == (3, "q2", "r2", 4, "q3")
    assert seen(log(*rows[:4], extras=extras % 4)) == []


def test_system_messages_are_passed_over_but_keep_their_index():
    rows = log(("system", "be kind"), ("user", "q"), ("assistant", "r"), ("system", "be brief"), ("user", "f"))
    assert seen(rows) == [(2, "q", "r", 4, "f")]


def test_conversations_do_not_leak_into_each_other(messages):
    table = pl.concat([messages("a", "q", "r"), messages("b", "q2", "r2", "f2")])
    assert build_exchanges(table).select("conversation_id", "previous_user", "follow_up").rows() == [
        ("a", "q", None),
        ("b", "q2", "f2"),
    ]


def test_rows_in_any_order_give_the_same_sorted_build_exchanges(messages):
    table = pl.concat([messages("a", "q", "r", "f", "s"), messages("b", "q2", "r2", "f2", "s2")])
    shuffled = table.sample(fraction=1, shuffle=True, seed=3)
    assert build_exchanges(shuffled).equals(build_exchanges(table))
    assert build_exchanges(shuffled)["conversation_id"].is_sorted()


def test_an_exchange_belongs_to_its_user_even_where_the_assistant_is_a_person():
    rows = log(("assistant", "hello"), ("user", "hi"), ("assistant", "how are you?")).with_columns(
        user_key=pl.when(pl.col("role") == "user").then(pl.lit("ann")).otherwise(pl.lit("bob"))
    )
    assert build_exchanges(rows)["user_key"].to_list() == ["ann", "ann"]


def test_an_exchange_carries_the_judgements_on_its_reply(messages):
    table = messages("c1", "q", "r", "f").with_columns(
        rating=pl.when(pl.col("message_index") == 1).then(-1.0),
        reaction=pl.when(pl.col("message_index") == 2).then(pl.lit("👍")),
    )
    assert build_exchanges(table).select("rating", "reaction").rows() == [(-1.0, None)]


def test_exchanges_have_the_declared_schema_even_without_rows(messages):
    assert build_exchanges(messages("c1", "q", "r")).schema == EXCHANGES
    assert build_exchanges(schemas.MESSAGES.to_frame()).schema == EXCHANGES


def test_a_history_is_every_message_before_in_order(messages):
    table = messages("c1", "q1", "r1", "q2", "r2").reverse()
    wanted = pl.DataFrame({"conversation_id": ["c1", "c1"], "before": [3, 1], "name": ["late", "early"]})
    views = add_histories(table, wanted)
    assert views["name"].to_list() == ["late", "early"]
    assert views["prompt"].to_list() == [
        [
            {"role": "user", "content": "q1"},
            {"role": "assistant", "content": "r1"},
            {"role": "user", "content": "q2"},
        ],
        [{"role": "user", "content": "q1"}],
    ]


@pytest.mark.parametrize("wanted", [("c1", 0), ("unknown", 2)])
def test_a_history_without_messages_is_null(messages, wanted):
    rows = pl.DataFrame([wanted], schema={"conversation_id": pl.String, "before": pl.Int32}, orient="row")
    assert add_histories(messages("c1", "q", "r"), rows)["prompt"].to_list() == [None]


def test_the_same_place_wanted_twice_is_answered_twice(messages):
    wanted = pl.DataFrame({"conversation_id": ["c1", "c1"], "before": [1, 1]})
    assert add_histories(messages("c1", "q", "r"), wanted)["prompt"].list.len().to_list() == [1, 1]


def test_histories_keep_the_columns_and_add_a_prompt_even_without_rows(messages):
    wanted = pl.DataFrame(schema={"conversation_id": pl.String, "before": pl.Int32, "weight": pl.Float64})
    views = add_histories(messages("c1", "q", "r"), wanted)
    assert views.schema == {**wanted.schema, "prompt": pl.List(schemas.MESSAGE)}
