"""Pairs against what people preferred in the log."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from sklearn.metrics import cohen_kappa_score

from tests.turnabout.quality.conftest import Build
from turnabout.quality.people import find_choices, measure_agreement
from turnabout.stats.estimate import Bootstrap

NOTHING: dict[str, Any] = {"value": None, "low": None, "high": None, "n": 0}


def voted(
    messages: Callable[..., pl.DataFrame], name: str, alternatives: list[str], preferences: list[float | None]
) -> pl.DataFrame:
    """A conversation whose reply "logged" people held against alternatives."""
    talk = messages(name, "hi", "logged")
    is_reply = pl.col("role") == "assistant"
    return talk.with_columns(
        alternatives=pl.when(is_reply).then(pl.lit(alternatives)),
        preferences=pl.when(is_reply).then(pl.lit(preferences)),
    )


def test_votes_and_edits_are_choices_and_ties_are_none(messages: Callable[..., pl.DataFrame]) -> None:
    edited = messages("d", "hi", "logged").with_columns(
        edited_text=pl.when(pl.col("role") == "assistant").then(pl.lit("mended"))
    )
    said = pl.concat([voted(messages, "a", ["one", "two", "three", "four"], [1.0, -1.0, 0.0, None]), edited])
    assert find_choices(said).rows() == [("a", 1, "logged", "one"), ("a", 1, "two", "logged"), ("d", 1, "mended", "logged")]


def test_pairs_of_the_same_two_replies_are_held_against_people(
    pairs: Build, messages: Callable[..., pl.DataFrame]
) -> None:
    names = "abcdef"
    by_people = [1.0, -1.0, 1.0, -1.0, 1.0, 1.0]
    by_arm = [1.0, -1.0, 1.0, 1.0, -1.0, 1.0]
    # "logged" comes before or after the alternative by words: whose place is first differs between pairs
    alternatives = ["a one", "z two", "z three", "a four", "a five", "z six"]
    said = pl.concat([voted(messages, n, [t], [v]) for n, t, v in zip(names, alternatives, by_people, strict=True)])
    built = pairs(
        *(
            (name, "Logged!", text) if arm > 0 else (name, text.upper(), "logged")
            for name, text, arm in zip(names, alternatives, by_arm, strict=True)
        ),
        ("g", "logged", "never shown"),
    )
    found = measure_agreement(built, find_choices(said), Bootstrap(200, seed=1))
    first = [vote if text > "logged" else -vote for vote, text in zip(by_people, alternatives, strict=True)]
    ours = [vote if text > "logged" else -vote for vote, text in zip(by_arm, alternatives, strict=True)]
    assert (found["agreement"]["value"], found["agreement"]["n"]) == (pytest.approx(4 / 6), 6)
    assert found["kappa"]["value"] == pytest.approx(cohen_kappa_score(ours, first))


def test_why_there_is_no_figure(pairs: Build, messages: Callable[..., pl.DataFrame]) -> None:
    built = pairs(("a", "logged", "fresh"))
    silent = measure_agreement(built, find_choices(messages("a", "hi", "logged")), Bootstrap(10, seed=1))
    assert silent["kappa"] == NOTHING | {"reason": "nobody compared replies in these conversations"}
    other = measure_agreement(built, find_choices(voted(messages, "a", ["one"], [1.0])), Bootstrap(10, seed=1))
    assert other["agreement"] == NOTHING | {"reason": "people compared other replies"}
