"""Questions that a model must answer with one JSON object.

A question is asked again after an unusable answer.
"""

import json
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

import msgspec

from turnabout.core.messages import Message
from turnabout.generation.base import Completion, Generator, Sampling
from turnabout.prompting.json_schema import build_json_schema

T = TypeVar("T")
Shape = TypeVar("Shape", bound=msgspec.Struct)

#: Temperature of a repeated question. The first attempt is greedy; a repeated greedy one would give the same answer.
RETRY_TEMPERATURE = 0.7


class UnusableAnswer(ValueError):
    """An answer that cannot be used.

    `reason` is counted; the message is shown to the model.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Question(NamedTuple, Generic[T]):
    """The text to send, and the parser of its answer.

    The parser raises `UnusableAnswer`.
    """

    text: str
    parse: Callable[[Completion], T]


class AskOptions(NamedTuple):
    """How to ask questions.

    `prefill` is the text that every answer begins with, at least its opening brace. `shape` is what a usable answer
    decodes to; models that support it are constrained to its schema. Its fields are in the order in which the model
    writes them.
    """

    prefill: str
    max_new_tokens: int
    retries: int
    seed: int
    shape: type[msgspec.Struct] | None = None


def ask_structured(
    generator: Generator, questions: Sequence[Question[T]], options: AskOptions
) -> list[T | UnusableAnswer]:
    """Return the parsed answer to each question, or its last error.

    A question is asked again together with its answer and the error, and with another seed: the same request would
    only return the stored answer. A question that an endpoint refused is not asked again.
    """
    results: dict[int, T | UnusableAnswer] = {}
    schema = None if options.shape is None else build_json_schema(options.shape)
    pending: dict[int, list[Message]] = {i: [_user_message(question.text)] for i, question in enumerate(questions)}
    for attempt in range(options.retries + 1):
        if not pending:
            break
        sampling = Sampling(
            max_new_tokens=options.max_new_tokens,
            temperature=RETRY_TEMPERATURE if attempt else 0.0,
            seed=options.seed + attempt,
            prefill=options.prefill,
            schema=schema,
        )
        answers = generator.generate(list(pending.values()), sampling)
        for i, answer in zip(list(pending), answers, strict=True):
            results[i] = result = _parse(questions[i], answer)
            if isinstance(result, UnusableAnswer) and not answer.refused:
                reply: Message = {"role": "assistant", "content": answer.text}
                pending[i] = [_user_message(questions[i].text), reply, _retry_message(result)]
            else:
                del pending[i]
    return [results[i] for i in range(len(questions))]


def parse_json(answer: Completion, shape: type[Shape]) -> Shape:
    """Return the JSON object that an answer begins with, as `shape`.

    Text after it is ignored. Raises `UnusableAnswer`.
    """
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
        raise UnusableAnswer("wrong fields", f"its fields are not the requested ones ({error})") from error


def _parse(question: Question[T], answer: Completion) -> T | UnusableAnswer:
    try:
        return question.parse(answer)
    except UnusableAnswer as error:
        return error


def _retry_message(error: UnusableAnswer) -> Message:
    return _user_message(f"That answer cannot be used: {error}. Answer the question again, with one JSON object only.")


def _user_message(text: str) -> Message:
    return {"role": "user", "content": text}
