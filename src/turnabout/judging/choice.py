"""Choices among a few options, made by a language model.

Judges, votes and ratings all ask such questions. The choice is read from the probabilities of the options or from a
JSON object that the model writes. `in_both_orders` asks each question twice, with the replies swapped or the question
reversed, so that a caller can cancel out a model's preference for one position.
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeVar

import msgspec

from turnabout.core.messages import Message
from turnabout.generation.base import Completion, Generator
from turnabout.prompting.structured import AskOptions, Question, UnusableAnswer, ask_structured

Version = TypeVar("Version")
Result = TypeVar("Result")

#: Begins every written answer; the answer's first field is its reason.
PREFILL = '{"reason": "'

#: A written answer that prefers no option to the others.
TIE = "tie"


class ChoiceFormat(NamedTuple):
    """The options of a question, and how the model is asked for one of them."""

    options: tuple[str, ...]
    score_request: str
    """Text appended to the question where the options are scored as the model's next turn."""
    answer_request: str
    """Text appended to the question where the model writes a JSON object."""
    answer_shape: type[msgspec.Struct]
    """The JSON object's fields, in the order in which they are written."""
    read_answer: Callable[[Completion], str]
    """Returns the option that a written answer names, or `TIE`. Raises `UnusableAnswer`."""


class ChoiceOptions(NamedTuple):
    """Settings for asking: by probabilities or by a JSON answer, and its limits.

    `scores` reads the probabilities of the options, for generators that score. `answers` has the model write a JSON
    object; `max_new_tokens`, `retries` and `seed` apply to it alone.
    """

    by: Literal["scores", "answers"]
    max_new_tokens: int
    retries: int
    """How often a question is asked again after an answer that cannot be used."""
    seed: int


def choose(
    model: Generator, questions: Sequence[str], choice: ChoiceFormat, options: ChoiceOptions
) -> list[dict[str, float] | UnusableAnswer]:
    """Return the log-probability of each option, for every question in order.

    By `scores` they are the model's own, in nats, and do not sum to one over the options. By `answers` the option that
    was written has 0 and the others have -inf; a tie shares the probability equally. A question whose answers could
    not be used has the `UnusableAnswer` of the last one.
    """
    if not questions:
        return []
    if options.by == "scores":
        prompts = [question + choice.score_request for question in questions]
        return [*score_options(model, prompts, choice.options)]
    asked = [Question(question + choice.answer_request, choice.read_answer) for question in questions]
    ask_options = AskOptions(
        prefill=PREFILL,
        max_new_tokens=options.max_new_tokens,
        retries=options.retries,
        seed=options.seed,
        shape=choice.answer_shape,
    )
    answers = ask_structured(model, asked, ask_options)
    return [
        answer if isinstance(answer, UnusableAnswer) else _logps_of_answer(answer, choice.options) for answer in answers
    ]


def score_options(model: Generator, questions: Sequence[str], options: Sequence[str]) -> list[dict[str, float]]:
    """Return the log-probability of each option as the answer to each question.

    The log-probabilities are in nats and do not sum to one over the options.
    """
    prompts: list[list[Message]] = [[{"role": "user", "content": question}] for question in questions]
    results = []
    for scores in model.score(prompts, [list(options)] * len(prompts)):
        logps = [score.logp for score in scores]
        results.append(dict(zip(options, logps, strict=True)))
    return results


def in_both_orders(
    first: Sequence[Version], second: Sequence[Version], ask: Callable[[list[Version]], Sequence[Result]]
) -> list[tuple[Result, Result]]:
    """Ask about two versions of each item; return both results of each item.

    `first` and `second` hold the items in the same order. `ask` is called once, with all of `first` before all of
    `second`, and returns one result per version.
    """
    results = ask([*first, *second])
    return list(zip(results[: len(first)], results[len(first) :], strict=True))


def log_odds(logps: dict[str, float], option: str, other: str) -> float:
    """Return log P(option) - log P(other), in nats."""
    return logps[option] - logps[other]


def probability_lead(logps: dict[str, float], option: str, other: str) -> float:
    """Return P(option) - P(other), -1 to 1, where only these two are possible.

    It is tanh of half their log-odds.
    """
    return math.tanh(log_odds(logps, option, other) / 2)


def _logps_of_answer(answer: str, options: Sequence[str]) -> dict[str, float]:
    """Return a written answer as log-probabilities of the options."""
    if answer == TIE:
        return dict.fromkeys(options, -math.log(len(options)))
    return {option: 0.0 if option == answer else -math.inf for option in options}
