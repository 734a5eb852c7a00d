"""Answers as OpenAI's clients read them: one JSON object, or the events of a stream."""

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

from turnabout.serving.request import ChatRequest
from turnabout.serving.user_player import Answer


def completion(answer: Answer, request: ChatRequest) -> dict[str, Any]:
    """The body of an answer. The role is 'assistant', as the protocol has it, although a user speaks."""
    choices = [
        {
            "index": i,
            "message": {"role": "assistant", "content": turn.text, "refusal": None},
            "logprobs": None,
            "finish_reason": turn.finish,
        }
        for i, turn in enumerate(answer.turns)
    ]
    return {**_head("chat.completion", request), "choices": choices, "usage": _usage(answer)}


def events(answer: Answer, request: ChatRequest) -> Iterator[str]:
    """The server-sent events of an answer: role, text and end of each turn, tokens where asked for, `[DONE]`.

    A turn is one event: it is streamed when it is written, because where it ends decides what it says.
    """
    head = _head("chat.completion.chunk", request)
    for i, turn in enumerate(answer.turns):
        for delta, finish in (
            ({"role": "assistant", "content": ""}, None),
            ({"content": turn.text}, None),
            ({}, turn.finish),
        ):
            choice = {"index": i, "delta": delta, "logprobs": None, "finish_reason": finish}
            yield _event({**head, "choices": [choice]})
    if request.counts_in_stream:
        yield _event({**head, "choices": [], "usage": _usage(answer)})
    yield "data: [DONE]\n\n"


def _head(kind: str, request: ChatRequest) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": request.model,
    }


def _usage(answer: Answer) -> dict[str, int]:
    return {
        "prompt_tokens": answer.n_read,
        "completion_tokens": answer.n_written,
        "total_tokens": answer.n_read + answer.n_written,
    }


def _event(chunk: dict[str, Any]) -> str:
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"
