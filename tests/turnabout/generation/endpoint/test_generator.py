"""What is sent to an endpoint for a prompt, and what is made of its answers and likelihoods."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from benchmarks.faulty_endpoint import FaultyEndpoint, echo
from turnabout.core.messages import Message
from turnabout.errors import EndpointError
from turnabout.generation import Completion, Sampling
from turnabout.generation.base import Scored
from turnabout.generation.endpoint.generator import RemoteGenerator

Build = Callable[..., RemoteGenerator]
ASKED: list[Message] = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello?"}]


def answering(**choice: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Every call gets this choice."""
    return lambda body: {**echo(body), "choices": [{"message": {"content": "said"}, "finish_reason": "stop", **choice}]}


def sent(author: Build, sampling: Sampling, **settings: Any) -> dict[str, Any]:
    with FaultyEndpoint(lambda *_: "answer") as server:
        author(server.url, **settings).generate([ASKED], sampling)
    return server.asked[0]


def test_a_call_says_what_sampling_says(author: Build) -> None:
    drawn = Sampling(30, 0.7, 0.9, seed=5, schema={"type": "object"})
    form = {"name": "answer", "schema": {"type": "object"}, "strict": True}
    assert sent(author, drawn) == {
        "model": "big",
        "messages": ASKED,
        "max_tokens": 30,
        "temperature": 0.7,
        "top_p": 0.9,
        "seed": 5,
        "response_format": {"type": "json_schema", "json_schema": form},
    }


def test_an_endpoint_that_knows_no_schemas_gets_none(author: Build) -> None:
    assert "response_format" not in sent(author, Sampling(30, schema={"type": "object"}), schemas=False)


def test_a_reasoning_model_gets_room_for_its_thoughts_and_no_temperature(author: Build) -> None:
    body = sent(author, Sampling(30, 0.7, 0.9, seed=5), reasoning_tokens=1000)
    assert body == {"model": "big", "messages": ASKED, "max_completion_tokens": 1030, "seed": 5}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"message": {"content": " said \n"}}, Completion("said")),
        ({"finish_reason": "length"}, Completion("said", truncated=True)),
        ({"message": {"content": None}, "finish_reason": "length"}, Completion("", truncated=True)),
        ({"finish_reason": "content_filter"}, Completion("", refused="content refused")),
        ({"message": {"content": None, "refusal": "I must not"}}, Completion("", refused="content refused")),
    ],
)
def test_an_answer_is_read_with_how_it_ended(author: Build, choice: dict[str, Any], expected: Completion) -> None:
    with FaultyEndpoint(lambda *_: "answer", answering(**choice)) as server:
        assert author(server.url).generate([ASKED], Sampling(30)) == [expected]
        assert author(server.url).generate([ASKED], Sampling(30)) == [expected]  # as stored
    assert len(server.asked) == 1


def logprobs_of(tokens: Sequence[str]) -> list[Any]:
    """As vLLM tells them: nothing of the first token, of each other one minus a tenth of its place."""
    told = [{str(hash(t)): {"logprob": -i / 10, "rank": 1, "decoded_token": t}} for i, t in enumerate(tokens)]
    return [None, *told[1:]]


def reads(body: dict[str, Any]) -> dict[str, Any]:
    """A template of one token for each role, word and end, and a line feed after each end."""
    tokens = ["<bos>"]
    for message in body["messages"]:
        tokens += [f"<{message['role']}>", *message["content"].split(), "<end>", "\n"]
    return {**echo(body), "prompt_logprobs": logprobs_of(tokens)}


def test_a_turn_is_scored_by_its_words_and_its_end(author: Build) -> None:
    with FaultyEndpoint(lambda *_: "answer", reads) as server:
        found = author(server.url).score([ASKED, ASKED[1:]], [["fine day", "no"], ["no"]])
    # <bos> <system> Be kind. <end> \n <user> Hello? <end> \n <assistant> fine day <end> \n: fine is number 11
    assert found[0][0] == Scored(pytest.approx(-1.1 - 1.2 - 1.3), 3)
    assert found[0][1] == Scored(pytest.approx(-1.1 - 1.2), 2)
    assert found[1] == [Scored(pytest.approx(-0.6 - 0.7), 2)]
    assert {body["messages"][-1]["role"] for body in server.asked} == {"assistant"}


@pytest.mark.parametrize(
    "fate", ["answer", (400, {"error": {"message": "unexpected field 'prompt_logprobs'"}})], ids=["ignored", "refused"]
)
def test_an_endpoint_without_likelihoods_is_told_with_who_has_some(author: Build, fate: Any) -> None:
    told = r"prompt_logprobs[^\n]*\nthis endpoint cannot score: .*{generator: local}"
    with FaultyEndpoint(lambda *_: fate) as server, pytest.raises(EndpointError, match=told):
        author(server.url).score([ASKED], [["fine"]])
