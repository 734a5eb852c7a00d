"""Answers in OpenAI's format: one JSON object, or the events of a stream."""

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

from turnabout.serving.request import ChatRequest
from turnabout.serving.user_player import ServedAnswer


def build_completion(answer: ServedAnswer, request: ChatRequest) -> dict[str, Any]:
    """Build the body of an answer.

    The role is `assistant`, as the protocol demands, although a user speaks.
    """
    choices = [
        {
            "index": i,
            "message": {"role": "assistant", "content": turn.text, "refusal": None},
            "logprobs": None,
            "finish_reason": turn.finish,
        }
        for i, turn in enumerate(answer.turns)
    ]
    return {**_build_head("chat.completion", request), "choices": choices, "usage": _count_usage(answer)}


def stream_events(answer: ServedAnswer, request: ChatRequest) -> Iterator[str]:
    """Yield the server-sent events of an answer.

    They are the role, text and end of each turn, the number of tokens if requested, and `[DONE]`. The text of a turn is
    one event, sent when the turn is complete, because its end decides what its text is.
    """
    head = _build_head("chat.completion.chunk", request)
    for i, turn in enumerate(answer.turns):
        for delta, finish in (
            ({"role": "assistant", "content": ""}, None),
            ({"content": turn.text}, None),
            ({}, turn.finish),
        ):
            choice = {"index": i, "delta": delta, "logprobs": None, "finish_reason": finish}
            yield _format_event({**head, "choices": [choice]})
    if request.wants_usage:
        yield _format_event({**head, "choices": [], "usage": _count_usage(answer)})
    yield "data: [DONE]\n\n"


def _build_head(kind: str, request: ChatRequest) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": request.model,
    }


def _count_usage(answer: ServedAnswer) -> dict[str, int]:
    return {
        "prompt_tokens": answer.n_read,
        "completion_tokens": answer.n_written,
        "total_tokens": answer.n_read + answer.n_written,
    }


def _format_event(chunk: dict[str, Any]) -> str:
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"
