"""Tests of repeated conversation ids and of forgotten people."""

from collections.abc import Callable

import polars as pl

from turnabout.core import schemas
from turnabout.core.forgetting import hash_user_key
from turnabout.sources import Batch
from turnabout.sources.ingest_filter import IngestFilter

Build = Callable[..., pl.DataFrame]

NO_PEOPLE: frozenset[str] = frozenset()


def build_batch(*conversations: pl.DataFrame, rejected: list[tuple[str, ...]] | None = None) -> Batch:
    return Batch(pl.concat(conversations), pl.DataFrame(rejected or [], schema=schemas.QUARANTINE, orient="row"))


def build_filter(forgotten: frozenset[str] = NO_PEOPLE, known: tuple[str, ...] = ()) -> IngestFilter:
    return IngestFilter(forgotten, pl.Series("conversation_id", known, pl.String))


def test_id_belongs_to_the_first_conversation_with_it(messages: Build) -> None:
    ingest_filter = build_filter(known=("old",))
    first = ingest_filter.filter_batch(
        build_batch(messages("b", "1", "2"), messages("b", "3", "4"), messages("old", "5"), messages("a", "6"))
    )
    second = ingest_filter.filter_batch(build_batch(messages("c", "7"), messages("a", "8", "9"), messages("b", "10")))
    assert first.messages["text"].to_list() == ["1", "2", "6"]
    assert second.messages["text"].to_list() == ["7"]
    reason = "conversation id occurs earlier in the log"
    assert first.quarantine.rows() == [("test", "b", reason, "3"), ("test", "old", reason, "5")]
    assert second.quarantine.rows() == [("test", "a", reason, "8"), ("test", "b", reason, "10")]


def test_repeated_content_without_an_id_has_a_reason_of_its_own(messages: Build) -> None:
    batch = build_batch(messages("a", "1"), messages("a", "1"), messages("b", "2"), messages("b", "3"))
    quarantine = build_filter().filter_batch(batch._replace(content_ids={"a"})).quarantine
    assert quarantine.select("record", "reason").rows() == [
        ("a", "same messages as an earlier record"),
        ("b", "conversation id occurs earlier in the log"),
    ]


def test_only_a_count_remains_of_forgotten_people(messages: Build) -> None:
    """Forget ann, who takes part in three of five conversations.

    She asks in a and in a rejected repeat of b, and answers in c; nobody in d is forgotten.
    """
    answered = messages("c", "1", "2", user="bob").with_columns(user_key=pl.coalesce("user_key", pl.lit("ann")))
    conversations = [
        messages("b", "0", user="bob"),
        messages("a", "hi"),
        messages("b", "hi"),
        answered,
        messages("d", "3", user="bob"),
    ]
    ingest_filter = build_filter(frozenset([hash_user_key("ann")]))
    filtered = ingest_filter.filter_batch(
        build_batch(*conversations, rejected=[("test", "log:1", "broken", "ann said")])
    )
    assert filtered.messages["text"].to_list() == ["0", "3"]
    assert filtered.quarantine.rows() == [("test", "log:1", "broken", "")]
    assert filtered.n_forgotten == 3


def test_counts_of_a_batch_have_the_names_of_the_metrics(messages: Build) -> None:
    conversations = [
        messages("a", "1", "2"),
        messages("b", "3").with_columns(source=pl.lit("other")),
        messages("a", "4"),
    ]
    assert build_filter().filter_batch(
        build_batch(*conversations, rejected=[("test", "log:1", "broken", "x")])
    ).count_by_kind() == {
        "totals": {"n_conversations": 2, "n_messages": 3, "n_rejected": 2, "n_forgotten_conversations": 0},
        "rejected_by_reason": {"broken": 1, "conversation id occurs earlier in the log": 1},
        "rejected_by_source": {"test": 2},
        "conversations_by_source": {"test": 1, "other": 1},
        "unread_feedback": {},
    }


def test_empty_batch_stays_empty(messages: Build) -> None:
    filtered = build_filter().filter_batch(build_batch(messages("a").clear()))
    assert (filtered.messages.height, filtered.quarantine.height) == (0, 0)
