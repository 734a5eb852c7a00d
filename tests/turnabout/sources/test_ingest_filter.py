"""Each conversation id once, and nothing of forgotten people."""

from collections.abc import Callable

import polars as pl

from turnabout.core import schemas
from turnabout.core.forgetting import fingerprint
from turnabout.sources import Batch
from turnabout.sources.ingest_filter import Arrivals

Build = Callable[..., pl.DataFrame]

NOBODY: frozenset[str] = frozenset()


def batch(*talks: pl.DataFrame, rejected: list[tuple[str, ...]] | None = None) -> Batch:
    return Batch(pl.concat(talks), pl.DataFrame(rejected or [], schema=schemas.QUARANTINE, orient="row"))


def arrivals(forgotten: frozenset[str] = NOBODY, known: tuple[str, ...] = ()) -> Arrivals:
    return Arrivals(forgotten, pl.Series("conversation_id", known, pl.String))


def test_an_id_belongs_to_the_first_that_comes_with_it(messages: Build) -> None:
    gate = arrivals(known=("old",))
    first = gate.accept(
        batch(messages("b", "1", "2"), messages("b", "3", "4"), messages("old", "5"), messages("a", "6"))
    )
    second = gate.accept(batch(messages("c", "7"), messages("a", "8", "9"), messages("b", "10")))
    assert first.messages["text"].to_list() == ["1", "2", "6"]
    assert second.messages["text"].to_list() == ["7"]
    reason = "conversation id occurs earlier in the log"
    assert first.quarantine.rows() == [("test", "b", reason, "3"), ("test", "old", reason, "5")]
    assert second.quarantine.rows() == [("test", "a", reason, "8"), ("test", "b", reason, "10")]


def test_a_forgotten_person_leaves_nothing_but_a_count(messages: Build) -> None:
    """ann asks in a and in a rejected repeat of b, answers in c; d has nobody to forget."""
    answered = messages("c", "1", "2", user="bob").with_columns(user_key=pl.coalesce("user_key", pl.lit("ann")))
    talks = [
        messages("b", "0", user="bob"),
        messages("a", "hi"),
        messages("b", "hi"),
        answered,
        messages("d", "3", user="bob"),
    ]
    gate = arrivals(frozenset([fingerprint("ann")]))
    arrived = gate.accept(batch(*talks, rejected=[("test", "log:1", "broken", "ann said")]))
    assert arrived.messages["text"].to_list() == ["0", "3"]
    assert arrived.quarantine.rows() == [("test", "log:1", "broken", "")]
    assert arrived.n_forgotten == 3


def test_a_batch_is_counted_as_the_metrics_name_it(messages: Build) -> None:
    talks = [messages("a", "1", "2"), messages("b", "3").with_columns(source=pl.lit("other")), messages("a", "4")]
    assert arrivals().accept(batch(*talks, rejected=[("test", "log:1", "broken", "x")])).tallies() == {
        "totals": {"n_conversations": 2, "n_messages": 3, "n_rejected": 2, "n_forgotten_conversations": 0},
        "rejected_by_reason": {"broken": 1, "conversation id occurs earlier in the log": 1},
        "conversations_by_source": {"test": 1, "other": 1},
    }


def test_an_empty_batch_is_nothing(messages: Build) -> None:
    nothing = arrivals().accept(batch(messages("a").clear()))
    assert (nothing.messages.height, nothing.quarantine.height) == (0, 0)
