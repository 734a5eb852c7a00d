"""Refinements: which draft is taken, when the search ends, its prompts."""

import math
import re
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
import pytest

from tests.turnabout.augment.conftest import build_context
from turnabout.augment.base import AugmentInputs
from turnabout.augment.rewrites import refinements
from turnabout.augment.rewrites.refinements import Refinements
from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.generation.scripted import ScriptedGenerator


def build_writer(drafts: Sequence[str], score: Callable[[str], float]) -> ScriptedGenerator:
    """Return a model that writes the drafts and judges replies by `score`.

    `score` is how many nats likelier Yes is than No for a new reply.
    """
    written = iter(drafts)

    def likelihood(prompt: Sequence[Message], turn: str) -> float:
        match = re.search(r'<new_reply>\n"(.*)"\n</new_reply>', prompt[0]["content"])
        assert match is not None
        return score(match.group(1)) if turn == "Yes" else 0.0

    return ScriptedGenerator(lambda _: next(written) + '"}', likelihood)


def score_by_length(text: str) -> float:
    """Return 0 nats (P(yes) = 0.5) for the criticised reply, 49 characters."""
    return (len(text) - 49) / 10


@pytest.fixture
def first(two_criticised: AugmentInputs) -> AugmentInputs:
    """The inputs with the first criticised reply alone."""
    return two_criticised._replace(criticised=two_criticised.criticised.head(1))


def annotate(augmenter: Refinements, inputs: AugmentInputs, writer: ScriptedGenerator) -> dict[str, object]:
    table = augmenter.annotate(inputs, build_context(writer))
    assert table.schema == schemas.REFINEMENTS
    return table.row(0, named=True)


GOOD = "The shop opens at nine, every day of the week but on Sunday."
BEST = GOOD + " On Sunday it stays closed."


def test_ilf_takes_the_draft_with_the_highest_score(first: AugmentInputs) -> None:
    row = annotate(Refinements(k=3), first, build_writer([GOOD, BEST, "At nine."], score_by_length))
    assert (row["refined"], row["kept"], row["reason"], row["depth"]) == (BEST, True, None, 1)
    # 87 characters: 38 more than the criticised reply has, 3.8 nats, P(yes) = 1 / (1 + e^-3.8) = 0.9781.
    assert row["score"] == pytest.approx(0.9781, abs=1e-4)
    assert row["score_before"] == 0.5


def test_draft_is_dropped_when_judged_no_better_than_the_reply(first: AugmentInputs) -> None:
    row = annotate(Refinements(k=2), first, build_writer(["At nine.", "At nine, sir."], score_by_length))
    assert (row["refined"], row["kept"], row["reason"]) == ("At nine, sir.", False, "not judged better")


def test_sound_draft_is_taken_before_a_faulty_one(first: AugmentInputs) -> None:
    copy = "Well: that is not what I asked, when does it open? " * 3
    row = annotate(Refinements(k=2), first, build_writer([copy, "At nine."], score_by_length))
    assert row["refined"] == "At nine."
    assert row["score"] == pytest.approx(1 / (1 + math.exp(4.1)))  # 8 characters, 41 less than the criticised reply
    row = annotate(Refinements(k=2), first, build_writer([copy, copy], score_by_length))
    assert (row["reason"], row["score"]) == ("copies the user's later words", None)


def test_ilf_takes_the_draft_nearest_to_the_feedback(first: AugmentInputs, monkeypatch: pytest.MonkeyPatch) -> None:
    def vectors(texts: Sequence[str]) -> np.ndarray:
        assert texts[0].startswith("that is not what I asked")
        return np.array([[1.0, 0.0], [0.1, 0.9], [0.8, 0.6]])[: len(texts)]

    monkeypatch.setattr(refinements, "encode_sentences", vectors)
    row = annotate(Refinements(k=2, choose="similarity"), first, build_writer([BEST, GOOD], score_by_length))
    assert (row["refined"], row["kept"]) == (GOOD, True)


def test_prompt_holds_kept_critiques_and_no_dropped_ones(first: AugmentInputs) -> None:
    critique = {"conversation_id": "a", "reply_index": 1, "kept": True, "flaw": "It gives no hours."}
    dropped = {**critique, "kept": False, "flaw": "It is generic."}
    with_critiques = first._replace(tables={"critiques": pl.DataFrame([critique, dropped], schema=schemas.CRITIQUES)})
    writer = build_writer([GOOD], score_by_length)
    assert annotate(Refinements(k=1), with_critiques, writer)["critique"] == "It gives no hours."
    prompt = writer.prompts[0][0]["content"]
    assert ("It gives no hours." in prompt, "It is generic." in prompt) == (True, False)


def test_spar_refines_drafts_until_one_is_judged_correct(first: AugmentInputs) -> None:
    drafts = ["At nine.", "At nine, sir.", "Nine.", "At nine, dear sir.", "Nine, sir.", GOOD]
    writer = build_writer(drafts, score_by_length)
    row = annotate(Refinements(method="spar", width=2, depth=3), first, writer)
    assert (row["refined"], row["depth"], row["kept"], row["method"]) == (GOOD, 2, True, "spar")
    attempts = [re.search(r"<attempt>\n(.*)\n", prompt[0]["content"]) for prompt in writer.prompts]
    assert [match and match.group(1) for match in attempts] == [
        None,
        None,
        *['"At nine, sir."'] * 2,
        *['"At nine."'] * 2,
    ]


def test_spar_requires_a_majority_and_not_only_an_improvement(first: AugmentInputs) -> None:
    def score_lower(text: str) -> float:
        return score_by_length(text) - 9

    writer = build_writer([GOOD, BEST], score_lower)
    row = annotate(Refinements(method="spar", width=2, depth=1), first, writer)
    assert (row["refined"], row["kept"], row["reason"]) == (BEST, False, "not judged better")
    assert annotate(Refinements(k=2), first, build_writer([GOOD, BEST], score_lower))["kept"]


def test_refinements_ask_nothing_about_a_reply_without_feedback(two_criticised: AugmentInputs) -> None:
    silent = two_criticised._replace(criticised=two_criticised.criticised.with_columns(follow_up=pl.lit("")).head(1))
    writer = build_writer([], score_by_length)
    row = annotate(Refinements(), silent, writer)
    assert (row["reason"], row["refined"], writer.prompts) == ("no feedback in words", "", [])


def test_each_reply_gets_its_own_drafts_in_one_batch(two_criticised: AugmentInputs) -> None:
    later = "Voici la liste: le pain, un franc; le vin, deux francs; le tout, trois francs."
    writer = build_writer([GOOD, BEST, later, "Non."], score_by_length)
    table = Refinements(k=2).annotate(two_criticised, build_context(writer))
    assert table.select("reply_index", "refined").rows() == [(1, BEST), (5, later)]


@pytest.mark.parametrize("augmenter", [Refinements(k=2), Refinements(method="spar", width=2, depth=2, order="dfs")])
def test_calls_per_reply_counts_every_draft_and_vote(augmenter: Refinements, first: AugmentInputs) -> None:
    n_scored = 0

    def score(text: str) -> float:
        nonlocal n_scored
        n_scored += 1
        return -float(not text.startswith("The shop"))

    writer = build_writer([f"At {i}." for i in range(6)], score)
    annotate(augmenter, first, writer)
    assert len(writer.prompts) + n_scored == augmenter.calls_per_reply()


def test_refinements_are_empty_without_criticised_replies(two_criticised: AugmentInputs) -> None:
    none_criticised = two_criticised._replace(criticised=two_criticised.criticised.clear())
    table = Refinements().annotate(none_criticised, build_context(build_writer([], score_by_length)))
    assert (table.height, table.schema) == (0, schemas.REFINEMENTS)
