"""Scorers: what each reads of two replies, with scripted models."""

from collections.abc import Sequence

import pytest

from turnabout.core.messages import Message
from turnabout.follow_ups import load_phrases
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.scoring import SCORERS
from turnabout.scoring.base import ScorerContext, Pair, Score
from turnabout.scoring.follow_up import PHRASES_PER_DIMENSION

NINE, BREAD = "At nine.", "We sell all kinds of bread."
PAIR = Pair("1", [{"role": "user", "content": "When do you open?"}], NINE, BREAD, ("Say when.",))
SWAPPED = PAIR._replace(a=BREAD, b=NINE)
PRAISE = set(load_phrases(PHRASES_PER_DIMENSION).positive)


def scored(by: str, pairs: Sequence[Pair], model: ScriptedGenerator, writes: bool = False) -> list[Score]:
    scorer = SCORERS[by]
    return scorer.finalize(scorer.score_chunk(pairs, ScorerContext(model, "answers" if writes else "scores", 400)))


def scoring(likelihood: float) -> ScriptedGenerator:
    """The log-probability of "At nine.", of verdict A where it is A, of praise after it; else 0 or minus that."""

    def given(prompt: Sequence[Message], turn: str) -> float:
        text = prompt[-1]["content"]
        if turn in ("A", "B"):
            return likelihood if (turn == "A") == (f'<reply_A>\n"{NINE}"' in text) else 0.0
        if prompt[-1]["role"] == "assistant":
            return likelihood * (len(turn.split()) + 1) if (turn in PRAISE) == (text == NINE) else 0.0
        return likelihood if turn == NINE else -1.0

    return ScriptedGenerator(lambda _: "my own reply", given)


def test_the_longer_reply_wins_by_length_and_equal_ones_tie() -> None:
    equal = PAIR._replace(b="Nine at.")
    assert scored("length", [PAIR, equal], scoring(0)) == [(8, 27, "b", None), (8, 8, None, None)]


def test_likelihood_is_the_mean_per_token_with_the_end_of_the_turn() -> None:
    """Two words and the end are 3 tokens: −6 / 3; six words and the end are 7: −1 / 7."""
    assert scored("likelihood", [PAIR], scoring(-6.0))[0] == (-2.0, pytest.approx(-1 / 7), "b", None)


def test_follow_up_is_praise_less_complaint_in_nats_per_token() -> None:
    """After "At nine." praise has 0.5 a token and complaint 0; after the other the other way round."""
    found = scored("follow_up", [PAIR, SWAPPED], scoring(0.5))
    assert found == [(0.5, -0.5, "a", None), (-0.5, 0.5, "b", None)]


def test_calibration_measures_in_deviations_over_all_pairs() -> None:
    """Of every follow-up one reply has 0.25 nats more and one 0.25 less than their mean: z is 1 and −1."""
    found = scored("follow_up_calibrated", [PAIR, SWAPPED], scoring(0.5))
    assert found == [(2.0, -2.0, "a", None), (-2.0, 2.0, "b", None)]


def test_a_user_model_is_told_an_intent() -> None:
    seen: set[str] = set()

    def given(prompt: Sequence[Message], _: str) -> float:
        seen.add(f"{prompt[0]['role']}: {prompt[0]['content']}")
        return -1.0

    SCORERS["follow_up"].score_chunk([PAIR], ScorerContext(ScriptedGenerator(lambda _: "", given), "scores", 400, intent="Bread."))
    assert seen == {"system: Bread."}


@pytest.mark.parametrize("by", ["judge", "checklist", "self_reference"])
def test_a_judge_gives_its_probability_of_each_reply_and_prefers_where_both_orders_agree(by: str) -> None:
    """At log-odds ln 3 in both orders P(a) is 3/4."""
    first, second = scored(by, [PAIR, SWAPPED], scoring(1.0986123))
    assert first == (pytest.approx(0.75), pytest.approx(0.25), "a", None)
    assert second == (pytest.approx(0.25), pytest.approx(0.75), "b", None)


def test_a_judge_without_probabilities_answers_and_an_unreadable_answer_scores_nothing() -> None:
    def answer(prompt: Sequence[Message]) -> str:
        return 'so", "better": "A"}' if f'<reply_A>\n"{NINE}"' in prompt[-1]["content"] else 'so", "better": "B"}'

    assert scored("judge", [PAIR], ScriptedGenerator(answer), writes=True) == [(1.0, 0.0, "a", None)]
    silent = ScriptedGenerator(lambda _: "...")
    assert scored("judge", [PAIR], silent, writes=True) == [(None, None, None, "not JSON")]
