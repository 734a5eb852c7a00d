"""Refinements: which draft is taken, when the tree search goes on, and what the author is told."""

import math
import re
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
import pytest

from turnabout.augment.base import Logs, Writing
from turnabout.augment.rewrites import refinements
from turnabout.augment.rewrites.refinements import Refinements
from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.generation.scripted import ScriptedGenerator


def author(drafts: Sequence[str], likes: Callable[[str], float]) -> ScriptedGenerator:
    """Writes the drafts in turn; finds Yes as many nats likelier than No as it `likes` the reply it is asked about."""
    written = iter(drafts)

    def likelihood(prompt: Sequence[Message], turn: str) -> float:
        shown = re.search(r'<new_reply>\n"(.*)"\n</new_reply>', prompt[0]["content"])
        assert shown is not None
        return likes(shown.group(1)) if turn == "Yes" else 0.0

    return ScriptedGenerator(lambda _: next(written) + '"}', likelihood)


def by_length(text: str) -> float:
    """0 nats, and so P(yes) = 0.5, for 49 characters, as many as the criticised reply has."""
    return (len(text) - 49) / 10


@pytest.fixture
def first(heard: Logs) -> Logs:
    """The logs with the first criticised reply alone."""
    return heard._replace(criticised=heard.criticised.head(1))


def annotated(augmenter: Refinements, logs: Logs, writer: ScriptedGenerator) -> dict[str, object]:
    table = augmenter.annotate(logs, Writing(writer, 400, 20, batch_size=4, seed=0))
    assert table.schema == schemas.REFINEMENTS
    return table.row(0, named=True)


GOOD = "The shop opens at nine, every day of the week but on Sunday."
BEST = GOOD + " On Sunday it stays closed."


def test_ilf_takes_the_draft_most_surely_judged_right(first: Logs) -> None:
    row = annotated(Refinements(k=3), first, author([GOOD, BEST, "At nine."], by_length))
    assert (row["refined"], row["kept"], row["reason"], row["depth"]) == (BEST, True, None, 1)
    # 87 characters: 38 more than the criticised reply has, 3.8 nats, P(yes) = 1 / (1 + e^-3.8) = 0.9781.
    assert row["score"] == pytest.approx(0.9781, abs=1e-4)
    assert row["score_before"] == 0.5


def test_a_draft_judged_no_better_than_the_reply_is_dropped(first: Logs) -> None:
    row = annotated(Refinements(k=2), first, author(["At nine.", "At nine, sir."], by_length))
    assert (row["refined"], row["kept"], row["reason"]) == ("At nine, sir.", False, "not judged better")


def test_a_sound_draft_is_taken_before_one_with_a_fault(first: Logs) -> None:
    copy = "Well: that is not what I asked, when does it open? " * 3
    row = annotated(Refinements(k=2), first, author([copy, "At nine."], by_length))
    assert row["refined"] == "At nine."
    assert row["score"] == pytest.approx(1 / (1 + math.exp(4.1)))  # 8 characters, 41 less than the criticised reply
    row = annotated(Refinements(k=2), first, author([copy, copy], by_length))
    assert (row["reason"], row["score"]) == ("copies the user's later words", None)


def test_ilf_can_take_the_draft_nearest_to_the_feedback(first: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    def vectors(texts: Sequence[str]) -> np.ndarray:
        assert texts[0].startswith("that is not what I asked")
        return np.array([[1.0, 0.0], [0.1, 0.9], [0.8, 0.6]])[: len(texts)]

    monkeypatch.setattr(refinements, "sentence_vectors", vectors)
    row = annotated(Refinements(k=2, choose="similarity"), first, author([BEST, GOOD], by_length))
    assert (row["refined"], row["kept"]) == (GOOD, True)


def test_kept_critiques_are_told_and_others_are_not(first: Logs) -> None:
    critique = {"conversation_id": "a", "reply_index": 1, "kept": True, "flaw": "It gives no hours."}
    dropped = {**critique, "kept": False, "flaw": "It is generic."}
    told = first._replace(tables={"critiques": pl.DataFrame([critique, dropped], schema=schemas.CRITIQUES)})
    writer = author([GOOD], by_length)
    assert annotated(Refinements(k=1), told, writer)["critique"] == "It gives no hours."
    asked = writer.asked[0][0]["content"]
    assert ("It gives no hours." in asked, "It is generic." in asked) == (True, False)


def test_spar_refines_what_failed_until_a_draft_is_judged_correct(first: Logs) -> None:
    drafts = ["At nine.", "At nine, sir.", "Nine.", "At nine, dear sir.", "Nine, sir.", GOOD]
    writer = author(drafts, by_length)
    row = annotated(Refinements(method="spar", width=2, depth=3), first, writer)
    assert (row["refined"], row["depth"], row["kept"], row["method"]) == (GOOD, 2, True, "spar")
    attempts = [re.search(r"<attempt>\n(.*)\n", talk[0]["content"]) for talk in writer.asked]
    assert [found and found.group(1) for found in attempts] == [
        None,
        None,
        *['"At nine, sir."'] * 2,
        *['"At nine."'] * 2,
    ]


def test_spar_wants_a_majority_and_not_only_an_improvement(first: Logs) -> None:
    def doubts(text: str) -> float:
        return by_length(text) - 9

    writer = author([GOOD, BEST], doubts)
    row = annotated(Refinements(method="spar", width=2, depth=1), first, writer)
    assert (row["refined"], row["kept"], row["reason"]) == (BEST, False, "not judged better")
    assert annotated(Refinements(k=2), first, author([GOOD, BEST], doubts))["kept"]


def test_a_reply_of_which_nothing_was_said_is_not_asked_about(heard: Logs) -> None:
    silent = heard._replace(criticised=heard.criticised.with_columns(follow_up=pl.lit("")).head(1))
    writer = author([], by_length)
    row = annotated(Refinements(), silent, writer)
    assert (row["reason"], row["refined"], writer.asked) == ("no feedback in words", "", [])


def test_every_reply_gets_its_own_drafts_in_one_batch(heard: Logs) -> None:
    later = "Voici la liste: le pain, un franc; le vin, deux francs; le tout, trois francs."
    writer = author([GOOD, BEST, later, "Non."], by_length)
    table = Refinements(k=2).annotate(heard, Writing(writer, 400, 20, batch_size=4, seed=0))
    assert table.select("reply_index", "refined").rows() == [(1, BEST), (5, later)]


@pytest.mark.parametrize("augmenter", [Refinements(k=2), Refinements(method="spar", width=2, depth=2, order="dfs")])
def test_a_plan_counts_every_draft_and_vote(augmenter: Refinements, first: Logs) -> None:
    scored = 0

    def likes(text: str) -> float:
        nonlocal scored
        scored += 1
        return -float(not text.startswith("The shop"))

    writer = author([f"At {i}." for i in range(6)], likes)
    annotated(augmenter, first, writer)
    assert len(writer.asked) + scored == augmenter.calls_per_reply()


def test_a_log_without_dissatisfaction_gets_an_empty_table(heard: Logs) -> None:
    nobody = heard._replace(criticised=heard.criticised.clear())
    table = Refinements().annotate(nobody, Writing(author([], by_length), 400, 20, batch_size=4, seed=0))
    assert (table.height, table.schema) == (0, schemas.REFINEMENTS)
