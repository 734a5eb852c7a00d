"""The server over loopback, called by the `openai` client."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.served_user import serve_player
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.models.chat_format import END_OF_CONVERSATION
from turnabout.serving.user_player import UserPlayer

INTENT = {"role": "system", "content": "You are a user chatting with an assistant language model to talk about trains."}
LONG = [{"role": role, "content": "x"} for role in ("user", "assistant") * 2]


@pytest.fixture
def url(player: UserPlayer) -> Iterator[str]:
    with serve_player(player) as address:
        yield address


@pytest.fixture
def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=url, api_key="none", max_retries=0)


def request_turn(client: openai.OpenAI, *messages: dict[str, str], **fields: Any) -> Any:
    prompt: list[Any] = [INTENT, *messages]
    return client.chat.completions.create(model=fields.pop("model", "user"), messages=prompt, **fields)


def test_openai_client_holds_a_whole_conversation(client: openai.OpenAI) -> None:
    messages: list[dict[str, str]] = []
    for _ in range(5):
        choice = request_turn(client, *messages).choices[0]
        messages.append({"role": "user", "content": choice.message.content})
        if END_OF_CONVERSATION in choice.message.content:
            break
        messages.append({"role": "assistant", "content": "yes"})
    texts = [message["content"] for message in messages if message["role"] == "user"]
    assert texts == ["question 1?", "question 2?", f"thanks, bye{END_OF_CONVERSATION}"]
    assert choice.finish_reason == "stop"


def test_flipped_view_gets_the_same_answer_as_the_natural_one(client: openai.OpenAI) -> None:
    exchanged = [{"role": "assistant", "content": "x"}, {"role": "user", "content": "x"}] * 2
    flipped = request_turn(client, *exchanged, model="user:flipped")
    assert flipped.choices[0].message.content == request_turn(client, *LONG).choices[0].message.content
    assert flipped.model == "user:flipped"


def test_chat_completions_counts_tokens_and_numbers_the_choices(client: openai.OpenAI) -> None:
    answer = request_turn(client, n=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert answer.usage.completion_tokens == 3 * len("question 1?") + 3
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_stream_sends_the_same_answer_in_the_order_of_the_protocol(client: openai.OpenAI) -> None:
    chunks = list(request_turn(client, *LONG, stream=True, stream_options={"include_usage": True}))
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert choices[0].delta.role == "assistant"
    assert "".join(choice.delta.content or "" for choice in choices) == f"thanks, bye{END_OF_CONVERSATION}"
    assert [choice.finish_reason for choice in choices] == [None, None, "stop"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage == request_turn(client, *LONG).usage
    assert len({chunk.id for chunk in chunks}) == 1


def test_models_lists_both_views(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["user", "user:flipped"]
    assert client.models.retrieve("user:flipped").id == "user:flipped"
    with pytest.raises(openai.NotFoundError, match="'gpt' is not served"):
        client.models.retrieve("gpt")


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"temperature": 3}, "temperature", "less than or equal to 2"),
        ({"n": 0}, "n", "greater than or equal to 1"),
        ({"stop": ["a"] * 5}, "stop", "at most 4"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools", "not supported"),
        ({"messages": [{"role": "user", "content": "hi"}]}, "messages", "ask model 'user:flipped'"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0.content", "text"),
    ],
)
def test_invalid_request_is_a_400_that_names_the_field(
    client: openai.OpenAI, fields: dict[str, Any], param: str, message: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=message) as refused:
        client.chat.completions.create(**{"model": "user", "messages": [INTENT], **fields})
    assert str(refused.value.param).startswith(param)
    assert refused.value.type == "invalid_request_error"


@pytest.mark.parametrize(("path", "status"), [("/chat", 404), ("/chat/completions", 405)])
def test_wrong_path_or_method_is_an_error_in_openai_format(url: str, path: str, status: int) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url + path, timeout=5)
    assert refused.value.code == status
    assert "POST /v1/chat/completions" in json.loads(refused.value.read())["error"]["message"]


def test_error_of_the_model_is_a_500_without_traceback(scripted: ScriptedGenerator, player: UserPlayer) -> None:
    def fail(_: object) -> str:
        raise ZeroDivisionError

    scripted.script = fail
    with serve_player(player) as url:
        client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
        with pytest.raises(openai.InternalServerError) as failed:
            request_turn(client)
    assert failed.value.body == {
        "message": "the server failed with ZeroDivisionError; the traceback is in its log",
        "type": "server_error",
        "param": None,
        "code": None,
    }
