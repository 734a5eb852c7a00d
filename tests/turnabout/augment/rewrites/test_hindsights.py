"""Hindsights: what the author sees of the time after the reply, and what a rewrite may not take from it."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from turnabout.augment.base import Logs, Writing
from turnabout.augment.rewrites.hindsights import Hindsights
from turnabout.core import schemas
from turnabout.generation.scripted import ScriptedGenerator

Script = Callable[..., str]


def likes(words: str) -> Callable[..., float]:
    """A judge that says Yes to a new reply with these words and No to others."""
    return lambda prompt, turn: float((words in prompt[0]["content"].split("<new_reply>")[1]) == (turn == "Yes"))


def annotated(logs: Logs, writer: ScriptedGenerator) -> list[dict[str, Any]]:
    table = Hindsights().annotate(logs, Writing(writer, 400, 20, batch_size=4, seed=0))
    assert table.schema == schemas.HINDSIGHTS
    return table.to_dicts()


def test_the_author_sees_the_reaction_and_later_dissatisfied_messages(heard: Logs) -> None:
    writer = ScriptedGenerator(lambda _: 'At nine."}', likes("At nine"))
    rows = annotated(heard, writer)
    assert [(row["reply_index"], row["n_later"], row["kept"]) for row in rows] == [(1, 2, True), (5, 1, True)]
    asked = [talk[0]["content"] for talk in writer.asked]
    assert '["that is not what I asked, when does it open?", "No, I want the whole list, of all of them."]' in asked[0]
    assert "in French" not in asked[0]  # said in content, so no requirement of the first reply


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("It opens at nine.", None),
        ("Please send a list of all the prices, and it opens at nine.", "copies the user's later words"),
        ("The shop is a very nice place; it opened in 1975!", "unchanged"),
        ("I apologize: it opens at nine.", "talks about the task"),
        ("It opens at ten.", "not judged better"),
    ],
)
def test_a_rewrite_that_fails_a_check_is_dropped_with_the_reason(heard: Logs, said: str, reason: str | None) -> None:
    row = annotated(heard, ScriptedGenerator(lambda _: said + '"}', likes("opens at nine")))[0]
    assert (row["kept"], row["reason"]) == (reason is None, reason)


def test_a_reply_criticised_without_words_is_not_asked_about(heard: Logs) -> None:
    silent = heard.criticised.tail(1).with_columns(follow_up=pl.lit(""))
    none_later = heard._replace(criticised=silent, feedback=heard.feedback.clear())
    scored: list[str] = []
    writer = ScriptedGenerator(lambda _: "", lambda _, turn: scored.append(turn) or 0.0)  # type: ignore[func-returns-value]
    (row,) = annotated(none_later, writer)
    assert (row["reason"], row["n_later"], row["score_before"]) == ("no feedback in words", 0, None)
    assert writer.asked == scored == []


def by_answers(vote_on: Callable[[str], str]) -> Script:
    """An author that writes a reply, and votes on one with these words."""
    return lambda prompt: (
        vote_on(prompt[0]["content"].split("<new_reply>")[1].split("</new_reply>")[0])
        if "<new_reply>" in prompt[0]["content"]
        else 'It opens at nine."}'
    )


@pytest.mark.parametrize(
    ("unsure_of", "reason", "before"),
    [("nice place", "no usable vote on the reply", None), ("at nine", "no usable vote", 0.0), ("?", None, 0.0)],
)
def test_what_no_vote_can_be_used_on_is_not_kept_and_counts_as_no_low_score(
    heard: Logs, unsure_of: str, reason: str | None, before: float | None
) -> None:
    def vote(text: str) -> str:
        return "Hm" if unsure_of in text else f'So.", "answer": "{"Yes" if "at nine" in text else "No"}"}}'

    first = heard._replace(criticised=heard.criticised.head(1))
    writing = Writing(ScriptedGenerator(by_answers(vote)), 400, 20, batch_size=4, seed=0)
    (row,) = Hindsights(by="answers", votes=2).annotate(first, writing).to_dicts()
    assert (row["reason"], row["kept"], row["score_before"]) == (reason, reason is None, before)


def test_a_plan_counts_the_rewrite_and_the_votes_before_and_after(heard: Logs) -> None:
    scored: list[str] = []
    writer = ScriptedGenerator(lambda _: 'At nine."}', lambda _, turn: scored.append(turn) or 0.0)  # type: ignore[func-returns-value]
    annotated(heard._replace(criticised=heard.criticised.head(1)), writer)
    assert len(writer.asked) + len(scored) // 2 == Hindsights().calls_per_reply()


def test_a_log_without_dissatisfaction_gets_an_empty_table(heard: Logs) -> None:
    assert annotated(heard._replace(criticised=heard.criticised.clear()), ScriptedGenerator(lambda _: "")) == []
