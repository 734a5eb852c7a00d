"""Every scorer on two replies, with scripted models."""

from collections.abc import Sequence

import pytest

from turnabout.core.messages import Message
from turnabout.follow_ups import load_phrases
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.scoring import SCORERS
from turnabout.scoring.base import Pair, Score, ScorerContext
from turnabout.scoring.scorers import PHRASES_PER_DIMENSION

NINE, BREAD = "At nine.", "We sell all kinds of bread."
PAIR = Pair("1", [{"role": "user", "content": "When do you open?"}], NINE, BREAD, ("Say when.",))
SWAPPED = PAIR._replace(a=BREAD, b=NINE)
PRAISE = set(load_phrases(PHRASES_PER_DIMENSION).positive)


def score_pairs(by: str, pairs: Sequence[Pair], generator: ScriptedGenerator, writes: bool = False) -> list[Score]:
    scorer = SCORERS[by]
    return scorer.finalize(scorer.score_chunk(pairs, ScorerContext(generator, "answers" if writes else "scores", 400)))


def build_generator(likelihood: float) -> ScriptedGenerator:
    """A model that gives `likelihood` to "At nine.", to the verdict for it and to praise after it, else 0 or -1."""

    def compute_logp(prompt: Sequence[Message], turn: str) -> float:
        text = prompt[-1]["content"]
        if turn in ("A", "B"):
            return likelihood if (turn == "A") == (f'<reply_A>\n"{NINE}"' in text) else 0.0
        if prompt[-1]["role"] == "assistant":
            return likelihood * (len(turn.split()) + 1) if (turn in PRAISE) == (text == NINE) else 0.0
        return likelihood if turn == NINE else -1.0

    return ScriptedGenerator(lambda _: "my own reply", compute_logp)


def test_longer_reply_wins_by_length_and_equal_ones_tie() -> None:
    equal = PAIR._replace(b="Nine at.")
    assert score_pairs("length", [PAIR, equal], build_generator(0)) == [(8, 27, "b", None), (8, 8, None, None)]


def test_likelihood_is_the_mean_per_token_with_the_end_of_turn() -> None:
    # Two tokens and the end are 3: −6 / 3; six tokens and the end are 7: −1 / 7.
    assert score_pairs("likelihood", [PAIR], build_generator(-6.0))[0] == (-2.0, pytest.approx(-1 / 7), "b", None)


def test_follow_up_is_praise_less_complaint_in_nats_per_token() -> None:
    # After "At nine." praise has 0.5 a token and complaint 0; after the other reply it is the reverse.
    scores = score_pairs("follow_up", [PAIR, SWAPPED], build_generator(0.5))
    assert scores == [(0.5, -0.5, "a", None), (-0.5, 0.5, "b", None)]


def test_calibrated_follow_up_is_in_deviations_over_all_pairs() -> None:
    # For every follow-up one reply is 0.25 nats above and one 0.25 below their mean: z is 1 and −1.
    scores = score_pairs("follow_up_calibrated", [PAIR, SWAPPED], build_generator(0.5))
    assert scores == [(2.0, -2.0, "a", None), (-2.0, 2.0, "b", None)]


def test_user_model_gets_an_intent() -> None:
    first_messages: set[str] = set()

    def compute_logp(prompt: Sequence[Message], _: str) -> float:
        first_messages.add(f"{prompt[0]['role']}: {prompt[0]['content']}")
        return -1.0

    SCORERS["follow_up"].score_chunk(
        [PAIR], ScorerContext(ScriptedGenerator(lambda _: "", compute_logp), "scores", 400, intent="Bread.")
    )
    assert first_messages == {"system: Bread."}


@pytest.mark.parametrize("by", ["judge", "checklist", "self_reference"])
def test_judge_scores_by_probability_and_prefers_when_orders_agree(by: str) -> None:
    # At log-odds ln 3 in both orders P(a) is 3/4.
    first, second = score_pairs(by, [PAIR, SWAPPED], build_generator(1.0986123))
    assert first == (pytest.approx(0.75), pytest.approx(0.25), "a", None)
    assert second == (pytest.approx(0.25), pytest.approx(0.75), "b", None)


def test_unreadable_answer_of_a_judge_has_no_scores() -> None:
    def answer(prompt: Sequence[Message]) -> str:
        return 'so", "better": "A"}' if f'<reply_A>\n"{NINE}"' in prompt[-1]["content"] else 'so", "better": "B"}'

    assert score_pairs("judge", [PAIR], ScriptedGenerator(answer), writes=True) == [(1.0, 0.0, "a", None)]
    unreadable = ScriptedGenerator(lambda _: "...")
    assert score_pairs("judge", [PAIR], unreadable, writes=True) == [(None, None, None, "not JSON")]
