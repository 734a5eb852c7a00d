"""Choices among a few options: scored, written, and in both orders."""

import math
from collections.abc import Sequence
from typing import Literal

import msgspec
import pytest

from turnabout.core.messages import Message
from turnabout.generation import Completion
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.generation.unopened import UNOPENED
from turnabout.judging.choice import (
    TIE,
    ChoiceFormat,
    ChoiceOptions,
    choose,
    in_both_orders,
    log_odds,
    probability_lead,
    score_options,
)
from turnabout.prompting.structured import UnusableAnswer, parse_json


class ColourAnswer(msgspec.Struct):
    """The shape of a written answer."""

    reason: str
    colour: Literal["Red", "Blue", "tie"]


def read_colour(answer: Completion) -> str:
    return parse_json(answer, ColourAnswer).colour


COLOURS = ChoiceFormat(
    options=("Red", "Blue"),
    score_request=" Answer with one word.",
    answer_request="\nAnswer with JSON.",
    answer_shape=ColourAnswer,
    read_answer=read_colour,
)
SCORES = ChoiceOptions(by="scores", max_new_tokens=20, retries=1, seed=0)
ANSWERS = SCORES._replace(by="answers")


def write_answer(colour: str) -> str:
    return f'so", "colour": "{colour}"}}'


def test_choose_by_scores_returns_the_log_probability_of_each_option() -> None:
    asked: list[str] = []

    def likelihood(prompt: Sequence[Message], turn: str) -> float:
        asked.append(prompt[0]["content"])
        return {"Red": -0.5, "Blue": -2.0}[turn] if "sky" in prompt[0]["content"] else -1.0

    judge = ScriptedGenerator(lambda _: "", likelihood)
    assert choose(judge, ["The sky?", "The sea?"], COLOURS, SCORES) == [
        {"Red": -0.5, "Blue": -2.0},
        {"Red": -1.0, "Blue": -1.0},
    ]
    assert asked == ["The sky? Answer with one word."] * 2 + ["The sea? Answer with one word."] * 2
    assert judge.prompts == []


def test_choose_by_answers_gives_all_probability_to_the_written_option() -> None:
    judge = ScriptedGenerator(lambda prompt: write_answer("Blue" if "sky" in prompt[0]["content"] else "Red"))
    assert choose(judge, ["The sky?", "The sea?"], COLOURS, ANSWERS) == [
        {"Red": -math.inf, "Blue": 0.0},
        {"Red": 0.0, "Blue": -math.inf},
    ]
    assert [prompt[0]["content"] for prompt in judge.prompts] == [
        "The sky?\nAnswer with JSON.",
        "The sea?\nAnswer with JSON.",
    ]


def test_choose_by_answers_shares_the_probability_of_a_tie() -> None:
    (choice,) = choose(ScriptedGenerator(lambda _: write_answer(TIE)), ["The sky?"], COLOURS, ANSWERS)
    assert choice == {"Red": pytest.approx(math.log(1 / 2)), "Blue": pytest.approx(math.log(1 / 2))}


def test_choose_by_answers_asks_again_and_keeps_the_last_unusable_answer() -> None:
    judge = ScriptedGenerator(lambda prompt: "Hm" if len(prompt) == 1 else write_answer("Green"))
    (choice,) = choose(judge, ["The sky?"], COLOURS, ANSWERS)
    assert isinstance(choice, UnusableAnswer)
    assert choice.reason == "wrong fields"
    assert len(judge.prompts) == 2


@pytest.mark.parametrize("options", [SCORES, ANSWERS])
def test_choose_opens_no_model_without_questions(options: ChoiceOptions) -> None:
    assert choose(UNOPENED, [], COLOURS, options) == []


def test_score_options_keeps_the_order_of_the_options() -> None:
    judge = ScriptedGenerator(lambda _: "", lambda _, turn: -float(turn))
    (scores,) = score_options(judge, ["Which?"], ["3", "1", "2"])
    assert list(scores.items()) == [("3", -3.0), ("1", -1.0), ("2", -2.0)]


def test_probability_lead_is_the_difference_of_two_probabilities() -> None:
    # log-odds ln 3: 3/4 - 1/4
    logps = {"Red": -0.2, "Blue": -0.2 - math.log(3)}
    assert log_odds(logps, "Red", "Blue") == pytest.approx(math.log(3))
    assert probability_lead(logps, "Red", "Blue") == pytest.approx(1 / 2)
    assert probability_lead(logps, "Blue", "Red") == pytest.approx(-1 / 2)


@pytest.mark.parametrize(("answer", "lead"), [("Red", 1.0), ("Blue", -1.0), (TIE, 0.0)])
def test_probability_lead_of_a_written_answer_is_one_or_zero(answer: str, lead: float) -> None:
    (choice,) = choose(ScriptedGenerator(lambda _: write_answer(answer)), ["The sky?"], COLOURS, ANSWERS)
    assert not isinstance(choice, UnusableAnswer)
    assert probability_lead(choice, "Red", "Blue") == lead


def test_in_both_orders_asks_once_and_pairs_the_results() -> None:
    calls: list[list[str]] = []

    def ask(questions: list[str]) -> list[str]:
        calls.append(questions)
        return [question.upper() for question in questions]

    assert in_both_orders(["ab", "cd"], ["ba", "dc"], ask) == [("AB", "BA"), ("CD", "DC")]
    assert calls == [["ab", "cd", "ba", "dc"]]
    assert in_both_orders([], [], ask) == []
