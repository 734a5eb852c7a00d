"""Hindsights: the later messages in the prompt, and the checks."""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
import pytest

from tests.turnabout.augment.conftest import build_context
from turnabout.augment.base import AugmentInputs
from turnabout.augment.rewrites.hindsights import Hindsights
from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.generation.scripted import ScriptedGenerator

Script = Callable[..., str]


def score_texts_with(words: str) -> Callable[..., float]:
    """Return a judge's likelihood: Yes to a new reply with these words, else No."""
    return lambda prompt, turn: float((words in prompt[0]["content"].split("<new_reply>")[1]) == (turn == "Yes"))


def annotate(inputs: AugmentInputs, writer: ScriptedGenerator) -> list[dict[str, Any]]:
    table = Hindsights().annotate(inputs, build_context(writer))
    assert table.schema == schemas.HINDSIGHTS
    return table.to_dicts()


def test_prompt_holds_the_reaction_and_later_dissatisfied_messages(two_criticised: AugmentInputs) -> None:
    writer = ScriptedGenerator(lambda _: 'At nine."}', score_texts_with("At nine"))
    rows = annotate(two_criticised, writer)
    assert [(row["reply_index"], row["n_later"], row["kept"]) for row in rows] == [(1, 2, True), (5, 1, True)]
    prompts = [prompt[0]["content"] for prompt in writer.prompts]
    assert (
        '["that is not what I asked, when does it open?", "No, I want the whole list, of all of them."]' in prompts[0]
    )
    assert "in French" not in prompts[0]  # praise is no requirement of the first reply


@pytest.mark.parametrize(
    ("rewrite", "reason"),
    [
        ("It opens at nine.", None),
        ("Please send a list of all the prices, and it opens at nine.", "copies the user's later words"),
        ("The shop is a very nice place; it opened in 1975!", "unchanged"),
        ("I apologize: it opens at nine.", "talks about the task"),
        ("It opens at ten.", "not judged better"),
    ],
)
def test_hindsight_that_fails_a_check_is_dropped_with_the_reason(
    two_criticised: AugmentInputs, rewrite: str, reason: str | None
) -> None:
    row = annotate(two_criticised, ScriptedGenerator(lambda _: rewrite + '"}', score_texts_with("opens at nine")))[0]
    assert (row["kept"], row["reason"]) == (reason is None, reason)


def test_hindsights_ask_nothing_about_a_reply_without_feedback(two_criticised: AugmentInputs) -> None:
    silent = two_criticised.criticised.tail(1).with_columns(follow_up=pl.lit(""))
    none_later = two_criticised._replace(criticised=silent, feedback=two_criticised.feedback.clear())
    scored: list[str] = []
    writer = ScriptedGenerator(lambda _: "", lambda _, turn: scored.append(turn) or 0.0)  # type: ignore[func-returns-value]
    (row,) = annotate(none_later, writer)
    assert (row["reason"], row["n_later"], row["score_before"]) == ("no feedback in words", 0, None)
    assert writer.prompts == scored == []


def script_with_votes(vote_on: Callable[[str], str]) -> Script:
    """Return a script that writes a reply and votes on others by `vote_on`."""

    def script(prompt: Sequence[Message]) -> str:
        text = prompt[0]["content"]
        if "<new_reply>" not in text:
            return 'It opens at nine."}'
        return vote_on(text.split("<new_reply>")[1].split("</new_reply>")[0])

    return script


@pytest.mark.parametrize(
    ("unsure_of", "reason", "before"),
    [("nice place", "no usable vote on the reply", None), ("at nine", "no usable vote", 0.0), ("?", None, 0.0)],
)
def test_hindsight_without_usable_vote_is_not_kept(
    two_criticised: AugmentInputs, unsure_of: str, reason: str | None, before: float | None
) -> None:
    def vote(text: str) -> str:
        return "Hm" if unsure_of in text else f'So.", "answer": "{"Yes" if "at nine" in text else "No"}"}}'

    first = two_criticised._replace(criticised=two_criticised.criticised.head(1))
    context = build_context(ScriptedGenerator(script_with_votes(vote)))
    (row,) = Hindsights(by="answers", votes=2).annotate(first, context).to_dicts()
    assert (row["reason"], row["kept"], row["score_before"]) == (reason, reason is None, before)


def test_calls_per_reply_counts_the_rewrite_and_both_votes(two_criticised: AugmentInputs) -> None:
    scored: list[str] = []
    writer = ScriptedGenerator(lambda _: 'At nine."}', lambda _, turn: scored.append(turn) or 0.0)  # type: ignore[func-returns-value]
    annotate(two_criticised._replace(criticised=two_criticised.criticised.head(1)), writer)
    assert len(writer.prompts) + len(scored) // 2 == Hindsights().calls_per_reply()


def test_hindsights_are_empty_without_criticised_replies(two_criticised: AugmentInputs) -> None:
    none_criticised = two_criticised._replace(criticised=two_criticised.criticised.clear())
    assert annotate(none_criticised, ScriptedGenerator(lambda _: "")) == []
