"""Tests of calls, answers and scores of the endpoint generator."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from turnabout.core.messages import Message
from turnabout.errors import EndpointError
from turnabout.generation import Completion, Sampling
from turnabout.generation.endpoint.generator import RemoteGenerator
from turnabout.generation.testing import FaultyEndpoint, echo

Build = Callable[..., RemoteGenerator]
PROMPT: list[Message] = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello?"}]


def answer_with(**choice: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Answer every call with this choice."""
    return lambda body: {**echo(body), "choices": [{"message": {"content": "text"}, "finish_reason": "stop", **choice}]}


def send_one(generator: Build, sampling: Sampling, **settings: Any) -> dict[str, Any]:
    with FaultyEndpoint() as server:
        generator(server.url, **settings).generate([PROMPT], sampling)
    return server.bodies[0]


def test_call_has_the_sampling_settings(generator: Build) -> None:
    drawn = Sampling(30, 0.7, 0.9, seed=5, schema={"type": "object"})
    schema = {"name": "answer", "schema": {"type": "object"}, "strict": True}
    assert send_one(generator, drawn) == {
        "model": "big",
        "messages": PROMPT,
        "max_tokens": 30,
        "temperature": 0.7,
        "top_p": 0.9,
        "seed": 5,
        "response_format": {"type": "json_schema", "json_schema": schema},
    }


def test_call_has_no_schema_when_schemas_is_false(generator: Build) -> None:
    assert "response_format" not in send_one(generator, Sampling(30, schema={"type": "object"}), schemas=False)


def test_reasoning_model_gets_more_tokens_and_no_temperature(generator: Build) -> None:
    body = send_one(generator, Sampling(30, 0.7, 0.9, seed=5), reasoning_tokens=1000)
    assert body == {"model": "big", "messages": PROMPT, "max_completion_tokens": 1030, "seed": 5}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"message": {"content": " text \n"}}, Completion("text")),
        ({"finish_reason": "length"}, Completion("text", truncated=True)),
        ({"message": {"content": None}, "finish_reason": "length"}, Completion("", truncated=True)),
        ({"finish_reason": "content_filter"}, Completion("", refused="content refused")),
        ({"message": {"content": None, "refusal": "I must not"}}, Completion("", refused="content refused")),
    ],
)
def test_completion_has_the_finish_reason(generator: Build, choice: dict[str, Any], expected: Completion) -> None:
    with FaultyEndpoint(answer=answer_with(**choice)) as server:
        assert generator(server.url).generate([PROMPT], Sampling(30)) == [expected]
        assert generator(server.url).generate([PROMPT], Sampling(30)) == [expected]  # as stored
    assert len(server.bodies) == 1


def build_logprobs(tokens: Sequence[str]) -> list[Any]:
    """Build log-probabilities in vLLM's format.

    Null for the first token, −index / 10 for the token at each other index.
    """
    entries = [{str(hash(t)): {"logprob": -i / 10, "rank": 1, "decoded_token": t}} for i, t in enumerate(tokens)]
    return [None, *entries[1:]]


def answer_with_logprobs(body: dict[str, Any]) -> dict[str, Any]:
    """Answer with the log-probabilities of the prompt's tokens.

    The template has one token for each role, word and end, and a line feed after each end.
    """
    tokens = ["<bos>"]
    for message in body["messages"]:
        tokens += [f"<{message['role']}>", *message["content"].split(), "<end>", "\n"]
    return {**echo(body), "prompt_logprobs": build_logprobs(tokens)}


def test_score_sums_the_tokens_of_the_turn_and_its_end(generator: Build) -> None:
    with FaultyEndpoint(answer=answer_with_logprobs) as server:
        scores = generator(server.url).score([PROMPT, PROMPT[1:]], [["fine day", "no"], ["no"]])
    # <bos> <system> Be kind. <end> \n <user> Hello? <end> \n <assistant> fine day <end> \n: fine is number 11
    assert scores[0][0] == (pytest.approx(-1.1 - 1.2 - 1.3), 3)
    assert scores[0][1] == (pytest.approx(-1.1 - 1.2), 2)
    assert scores[1] == [(pytest.approx(-0.6 - 0.7), 2)]
    assert {body["messages"][-1]["role"] for body in server.bodies} == {"assistant"}


@pytest.mark.parametrize(
    "outcome",
    ["answer", (400, {"error": {"message": "unexpected field 'prompt_logprobs'"}})],
    ids=["ignored", "refused"],
)
def test_score_explains_an_endpoint_without_logprobs(generator: Build, outcome: Any) -> None:
    message = r"prompt_logprobs[^\n]*\nthis endpoint cannot score: .*{backend: local}"
    with FaultyEndpoint(lambda *_: outcome) as server, pytest.raises(EndpointError, match=message):
        generator(server.url).score([PROMPT], [["fine"]])
