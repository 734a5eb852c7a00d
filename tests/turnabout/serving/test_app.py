"""The server with the `openai` client over loopback: answers, streams, models, and errors in OpenAI's format."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.served_user import served
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.models.chat_format import END_OF_CONVERSATION
from turnabout.serving.user_player import UserPlayer

INTENT = {"role": "system", "content": "You are a user chatting with an assistant language model to talk about trains."}
LONG = [{"role": role, "content": "x"} for role in ("user", "assistant") * 2]


@pytest.fixture
def url(player: UserPlayer) -> Iterator[str]:
    with served(player) as address:
        yield address


@pytest.fixture
def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=url, api_key="none", max_retries=0)


def ask(client: openai.OpenAI, *messages: dict[str, str], **fields: Any) -> Any:
    return client.chat.completions.create(model=fields.pop("model", "user"), messages=[INTENT, *messages], **fields)


def test_a_whole_conversation_with_the_openai_client(client: openai.OpenAI) -> None:
    messages: list[dict[str, str]] = []
    for _ in range(5):
        said = ask(client, *messages).choices[0]
        messages.append({"role": "user", "content": said.message.content})
        if END_OF_CONVERSATION in said.message.content:
            break
        messages.append({"role": "assistant", "content": "yes"})
    texts = [message["content"] for message in messages if message["role"] == "user"]
    assert texts == ["question 1?", "question 2?", f"thanks, bye{END_OF_CONVERSATION}"]
    assert said.finish_reason == "stop"


def test_the_flipped_view_gets_the_same_answer(client: openai.OpenAI) -> None:
    exchanged = [{"role": "assistant", "content": "x"}, {"role": "user", "content": "x"}] * 2
    flipped = ask(client, *exchanged, model="user:flipped")
    assert flipped.choices[0].message.content == ask(client, *LONG).choices[0].message.content
    assert flipped.model == "user:flipped"


def test_usage_adds_up_and_n_draws_are_numbered(client: openai.OpenAI) -> None:
    answer = ask(client, n=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert answer.usage.completion_tokens == 3 * len("question 1?") + 3
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_stream_says_the_same_in_the_order_of_the_protocol(client: openai.OpenAI) -> None:
    chunks = list(ask(client, *LONG, stream=True, stream_options={"include_usage": True}))
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert choices[0].delta.role == "assistant"
    assert "".join(choice.delta.content or "" for choice in choices) == f"thanks, bye{END_OF_CONVERSATION}"
    assert [choice.finish_reason for choice in choices] == [None, None, "stop"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage == ask(client, *LONG).usage
    assert len({chunk.id for chunk in chunks}) == 1


def test_both_views_are_listed_as_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["user", "user:flipped"]
    assert client.models.retrieve("user:flipped").id == "user:flipped"
    with pytest.raises(openai.NotFoundError, match="'gpt' is not served"):
        client.models.retrieve("gpt")


@pytest.mark.parametrize(
    ("fields", "param", "told"),
    [
        ({"temperature": 3}, "temperature", "less than or equal to 2"),
        ({"n": 0}, "n", "greater than or equal to 1"),
        ({"stop": ["a"] * 5}, "stop", "at most 4"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools", "cannot do"),
        ({"messages": [{"role": "user", "content": "hi"}]}, "messages", "ask model 'user:flipped'"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0.content", "text"),
    ],
)
def test_a_wrong_request_is_a_400_that_says_what_is_wrong(
    client: openai.OpenAI, fields: dict[str, Any], param: str, told: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=told) as refused:
        client.chat.completions.create(**{"model": "user", "messages": [INTENT], **fields})
    assert str(refused.value.param).startswith(param)
    assert refused.value.type == "invalid_request_error"


@pytest.mark.parametrize(("path", "status"), [("/chat", 404), ("/chat/completions", 405)])
def test_a_wrong_address_or_method_is_told_in_the_same_format(url: str, path: str, status: int) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url + path, timeout=5)
    assert refused.value.code == status
    assert "POST /v1/chat/completions" in json.loads(refused.value.read())["error"]["message"]


def test_a_fault_of_the_model_is_a_500_without_its_traceback(scripted: ScriptedGenerator, player: UserPlayer) -> None:
    scripted.script = lambda _: 1 / 0
    with served(player) as url:
        client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
        with pytest.raises(openai.InternalServerError) as failed:
            ask(client)
    assert failed.value.body == {
        "message": "the server failed: ZeroDivisionError; its log says where",
        "type": "server_error",
        "param": None,
        "code": None,
    }
