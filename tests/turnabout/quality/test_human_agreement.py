"""Agreement of pairs with what people preferred in the log."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from sklearn.metrics import cohen_kappa_score

from tests.turnabout.quality.conftest import Build
from turnabout.quality.human_agreement import find_choices, measure_agreement
from turnabout.stats.estimate import Bootstrap

MISSING: dict[str, Any] = {"value": None, "low": None, "high": None, "n": 0}
BOOTSTRAP = Bootstrap(resamples=200, seed=1)

Messages = Callable[..., pl.DataFrame]


def add_votes(messages: Messages, name: str, alternatives: list[str], preferences: list[float | None]) -> pl.DataFrame:
    """Return a conversation whose reply "logged" has voted alternatives."""
    conversation = messages(name, "hi", "logged")
    is_reply = pl.col("role") == "assistant"
    return conversation.with_columns(
        alternatives=pl.when(is_reply).then(pl.lit(alternatives)),
        preferences=pl.when(is_reply).then(pl.lit(preferences)),
    )


def test_choices_are_votes_and_edits_without_ties(messages: Messages) -> None:
    edited = messages("d", "hi", "logged").with_columns(
        edited_text=pl.when(pl.col("role") == "assistant").then(pl.lit("edited"))
    )
    votes = add_votes(messages, "a", ["one", "two", "three", "four"], [1.0, -1.0, 0.0, None])
    choices = find_choices(pl.concat([votes, edited]))
    assert choices.rows() == [("a", 1, "logged", "one"), ("a", 1, "two", "logged"), ("d", 1, "edited", "logged")]


def test_agreement_compares_pairs_of_the_same_two_replies(pairs: Build, messages: Messages) -> None:
    names = "abcdef"
    by_people = [1.0, -1.0, 1.0, -1.0, 1.0, 1.0]
    by_arm = [1.0, -1.0, 1.0, 1.0, -1.0, 1.0]
    # "logged" comes before or after the alternative by words, so which reply is first differs between pairs
    alternatives = ["a one", "z two", "z three", "a four", "a five", "z six"]
    log = pl.concat(
        [
            add_votes(messages, name, [text], [vote])
            for name, text, vote in zip(names, alternatives, by_people, strict=True)
        ]
    )
    built = pairs(
        *(
            (name, "Logged!", text) if vote > 0 else (name, text.upper(), "logged")
            for name, text, vote in zip(names, alternatives, by_arm, strict=True)
        ),
        ("g", "logged", "never shown"),
    )
    measured = measure_agreement(built, find_choices(log), BOOTSTRAP)
    people_first = [vote if text > "logged" else -vote for vote, text in zip(by_people, alternatives, strict=True)]
    arm_first = [vote if text > "logged" else -vote for vote, text in zip(by_arm, alternatives, strict=True)]
    assert (measured["agreement"]["value"], measured["agreement"]["n"]) == (pytest.approx(4 / 6), 6)
    assert measured["kappa"]["value"] == pytest.approx(cohen_kappa_score(arm_first, people_first))


def test_agreement_without_common_replies_gives_the_reason(pairs: Build, messages: Messages) -> None:
    built = pairs(("a", "logged", "fresh"))
    without_votes = measure_agreement(built, find_choices(messages("a", "hi", "logged")), BOOTSTRAP)
    assert without_votes["kappa"] == MISSING | {"reason": "nobody compared replies in these conversations"}
    other_replies = measure_agreement(built, find_choices(add_votes(messages, "a", ["one"], [1.0])), BOOTSTRAP)
    assert other_replies["agreement"] == MISSING | {"reason": "people compared other replies"}
