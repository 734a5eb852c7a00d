"""Votes on a rewrite: how probabilities and answers become a score and a majority."""

import pytest

from turnabout.augment.complaint_votes import WORDINGS, Value, Voting, judged
from turnabout.generation.scripted import ScriptedGenerator

SCORES = Voting("scores", 3, 40, 0, 0)
ANSWERS = SCORES._replace(by="answers")


def by_wording(*yes_minus_no: float) -> ScriptedGenerator:
    """A judge that finds Yes so many nats likelier than No under each wording."""

    def likelihood(prompt: object, turn: str) -> float:
        nats = next(n for n, wording in zip(yes_minus_no, WORDINGS, strict=False) if wording in str(prompt))
        return nats if turn == "Yes" else 0.0

    return ScriptedGenerator(lambda _: "", likelihood)


def test_the_score_is_the_mean_probability_of_yes_and_the_majority_decides() -> None:
    # Yes one nat likelier: 1 / (1 + e⁻¹) = 0.7311; two nats: 0.8808; three nats less likely: 0.0474.
    (value,) = judged(by_wording(1.0, 2.0, -3.0), ["record"], SCORES)
    assert value == (pytest.approx((0.7311 + 0.8808 + 0.0474) / 3, abs=1e-4), True)


def test_a_tie_is_no_vote_and_a_majority_must_be_more_than_half() -> None:
    assert not judged(by_wording(1.0, 0.0, -1.0), ["record"], SCORES)[0].correct
    assert judged(by_wording(1.0, 0.0, 0.0), ["record"], SCORES)[0].correct
    assert not judged(by_wording(0.0, 0.0, 0.0), ["record"], SCORES)[0].correct


def test_values_come_in_the_order_of_the_records() -> None:
    judge = ScriptedGenerator(lambda _: "", lambda prompt, turn: float(("two" in str(prompt)) == (turn == "Yes")))
    assert [value.correct for value in judged(judge, ["one", "two"], SCORES)] == [False, True]


def test_answers_are_read_and_those_that_cannot_be_used_are_no_votes() -> None:
    answers = iter(['So.", "answer": "Yes"}', 'So.", "answer": "Perhaps"}', "So", 'So.", "answer": "No"}'] + ["So"] * 2)
    judge = ScriptedGenerator(lambda _: next(answers))
    assert judged(judge, ["one", "two"], ANSWERS) == [Value(1.0, correct=True), Value(0.0, correct=False)]


def test_a_reply_without_a_vote_that_can_be_used_has_no_value() -> None:
    assert judged(ScriptedGenerator(lambda _: "I would say"), ["one"], ANSWERS) == [None]
