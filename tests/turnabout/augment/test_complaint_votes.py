"""Votes on a rewrite: score and majority, by probabilities and answers."""

import pytest

from turnabout.augment.complaint_votes import WORDINGS, VoteResult, vote_on_records
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.judging.choice import ChoiceOptions

SCORES = ChoiceOptions(by="scores", max_new_tokens=40, retries=0, seed=0)
ANSWERS = SCORES._replace(by="answers")
N_VOTES = 3


def score_wordings(*yes_minus_no: float) -> ScriptedGenerator:
    """Return a judge with these log-odds of Yes under each wording."""

    def likelihood(prompt: object, turn: str) -> float:
        nats = next(n for n, wording in zip(yes_minus_no, WORDINGS, strict=False) if wording in str(prompt))
        return nats if turn == "Yes" else 0.0

    return ScriptedGenerator(lambda _: "", likelihood)


def list_majorities(judge: ScriptedGenerator, *records: str) -> list[bool]:
    """Return the vote of the majority on every record; none may be undecided."""
    results = vote_on_records(judge, records, N_VOTES, SCORES)
    assert None not in results
    return [result.correct for result in results if result is not None]


def test_score_is_the_mean_probability_of_yes() -> None:
    # Yes one nat likelier: 1 / (1 + e⁻¹) = 0.7311; two nats: 0.8808; three nats less likely: 0.0474.
    (result,) = vote_on_records(score_wordings(1.0, 2.0, -3.0), ["record"], N_VOTES, SCORES)
    assert result == (pytest.approx((0.7311 + 0.8808 + 0.0474) / 3, abs=1e-4), True)


def test_majority_ignores_ties_and_must_be_more_than_half() -> None:
    assert list_majorities(score_wordings(1.0, 0.0, -1.0), "record") == [False]
    assert list_majorities(score_wordings(1.0, 0.0, 0.0), "record") == [True]
    assert list_majorities(score_wordings(0.0, 0.0, 0.0), "record") == [False]


def test_vote_results_come_in_the_order_of_the_records() -> None:
    judge = ScriptedGenerator(lambda _: "", lambda prompt, turn: float(("two" in str(prompt)) == (turn == "Yes")))
    assert list_majorities(judge, "one", "two") == [False, True]


def test_unusable_answers_are_no_votes() -> None:
    answers = iter(['So.", "answer": "Yes"}', 'So.", "answer": "Perhaps"}', "So", 'So.", "answer": "No"}'] + ["So"] * 2)
    judge = ScriptedGenerator(lambda _: next(answers))
    assert vote_on_records(judge, ["one", "two"], N_VOTES, ANSWERS) == [
        VoteResult(1.0, correct=True),
        VoteResult(0.0, correct=False),
    ]


def test_vote_result_is_none_without_usable_votes() -> None:
    assert vote_on_records(ScriptedGenerator(lambda _: "I would say"), ["one"], N_VOTES, ANSWERS) == [None]
