"""Questions a model must answer with one JSON object of a known shape, asked again where the answer cannot be used."""

import json
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

import msgspec

from turnabout.core.messages import Message
from turnabout.generation.base import Completion, Generator, Sampling
from turnabout.prompting.json_schema import build_json_schema

T = TypeVar("T")
Shape = TypeVar("Shape", bound=msgspec.Struct)

#: The first asking is greedy; asked again, a model that insists must be able to come to something else.
RETRY_TEMPERATURE = 0.7


class UnusableAnswer(ValueError):
    """An answer that cannot be used. `reason` is counted; the message is told to the model."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Question(NamedTuple, Generic[T]):
    """What to ask, and how to read an answer; `read` raises `Unusable`."""

    text: str
    parse: Callable[[Completion], T]


class AskOptions(NamedTuple):
    """How to ask. `prefill` are the words every answer begins with, at least its opening brace.

    `shape` is what a usable answer decodes to; a model that can be held to a form is. Its fields stand in the order in
    which they are to be written.
    """

    prefill: str
    max_new_tokens: int
    retries: int
    seed: int
    shape: type[msgspec.Struct] | None = None


def ask_structured(generator: Generator, questions: Sequence[Question[T]], options: AskOptions) -> list[T | UnusableAnswer]:
    """What was read from the first usable answer to each question, or what was wrong with the last one.

    A question is asked again with its answer and what was wrong with it, and with another seed: a stored answer would
    only come back. What an endpoint refused to answer is not asked again.
    """
    found: dict[int, T | UnusableAnswer] = {}
    form = None if options.shape is None else build_json_schema(options.shape)
    talks: dict[int, list[Message]] = {i: [_user(question.text)] for i, question in enumerate(questions)}
    for attempt in range(options.retries + 1):
        if not talks:
            break
        temperature = RETRY_TEMPERATURE if attempt else 0.0
        sampling = Sampling(options.max_new_tokens, temperature, seed=options.seed + attempt, prefill=options.prefill, schema=form)
        answers = generator.generate(list(talks.values()), sampling)
        for i, answer in zip(list(talks), answers, strict=True):
            found[i] = came = _read(questions[i], answer)
            if isinstance(came, UnusableAnswer) and not answer.refused:
                talks[i] = [_user(questions[i].text), {"role": "assistant", "content": answer.text}, _again(came)]
            else:
                del talks[i]
    return [found[i] for i in range(len(questions))]


def parse_json(answer: Completion, shape: type[Shape]) -> Shape:
    """The JSON object an answer begins with, whatever follows it, as `shape`. Raises `Unusable`."""
    if answer.refused:
        raise UnusableAnswer(answer.refused, "there was no answer")
    text = answer.text.strip()
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError) as error:
        if answer.truncated:
            raise UnusableAnswer("truncated", "it was cut off; answer in fewer words") from error
        raise UnusableAnswer("not JSON", f"it is not one JSON object ({error})") from error
    try:
        return msgspec.json.decode(text[:end].encode(errors="replace"), type=shape, strict=False)
    except msgspec.DecodeError as error:
        raise UnusableAnswer("wrong fields", f"its fields are not as asked ({error})") from error


def _read(question: Question[T], answer: Completion) -> T | UnusableAnswer:
    try:
        return question.parse(answer)
    except UnusableAnswer as fault:
        return fault


def _again(fault: UnusableAnswer) -> Message:
    return _user(f"That answer cannot be used: {fault}. Answer the question again, with one JSON object only.")


def _user(text: str) -> Message:
    return {"role": "user", "content": text}
