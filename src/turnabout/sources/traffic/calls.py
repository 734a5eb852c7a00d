"""One call of a chat-completion API, read from the shapes in which proxies and providers log request and response."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from turnabout.sources.files import reason
from turnabout.sources.table.conversation import LoggedMessage, instant
from turnabout.sources.table.extras import others

REQUESTS = ("request", "input", "request_body")
RESPONSES = ("response", "output", "response_body")
USERS = ("user", "user_id", "safety_identifier", "end_user")
TIMES = ("created_at", "timestamp", "startTime")

ROLES = {
    **{role: role for role in ("system", "user", "assistant", "tool")},
    "developer": "system",
    "function": "tool",
}


class Call(NamedTuple):
    """One call: what was sent, and the replies that came back, of which the first was shown."""

    history: list[LoggedMessage]
    replies: list[LoggedMessage]
    call_id: str | None
    user: str | None
    model: str | None
    at: datetime | None
    extras: dict[str, Any]


class Message(msgspec.Struct):
    """One message of a request or a response."""

    role: str = "assistant"
    content: str | list[Any] | None = None
    refusal: str | None = None


def call_of(record: Any) -> Call:
    """The call that a record holds. Raises `ValueError` where the request or a reply is missing or of another shape."""
    if not isinstance(record, dict):
        raise ValueError(f"record: expected an object with request and response, got {type(record).__name__}")
    sent_key = next((key for key in REQUESTS if record.get(key) is not None), None)
    came_key = next((key for key in RESPONSES if key in record), None)
    request = _object(record[sent_key] if sent_key else record, "messages")
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ValueError(f"request: expected a list of messages under one of {REQUESTS}")
    response, replies = _replies(record[came_key] if came_key else record.get("error"))
    about = others(record, {sent_key or "", came_key or "", *USERS, *TIMES, "messages"})
    made = response.get("created") or next((record[key] for key in TIMES if record.get(key) is not None), None)
    sent = others(request, {"messages", "model", *USERS}) if sent_key else {}
    came = others(response, {"choices", "id", "created", "model", "object", "role", "content", "tool_calls", "refusal"})
    return Call(
        [_message(message, "request.messages") for message in messages],
        replies,
        _text(response.get("id")),
        next((_text(place[key]) for place in (request, record) for key in USERS if place.get(key)), None),
        _text(response.get("model") or request.get("model") or record.get("model")),
        None if made is None else instant(made, "created"),
        about | {name: told for name, told in (("request", sent), ("response", came)) if told},
    )


def _object(told: Any, key: str) -> dict[str, Any]:
    """An object from itself, from JSON in a text, from the body of an HTTP message, or from the list it would hold."""
    if isinstance(told, str) and told.lstrip().startswith(("{", "[")):
        try:
            told = msgspec.json.decode(told)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise ValueError(f"{key}: JSON in a text that is broken: {error}") from error
    if isinstance(told, dict) and told.get("body") is not None:
        return _object(told["body"], key)
    return told if isinstance(told, dict) else {key: told}


def _replies(told: Any) -> tuple[dict[str, Any], list[LoggedMessage]]:
    """The response as an object and the replies in it. Raises `ValueError` where the call failed."""
    response = _object(told, "choices")
    status = told.get("status_code") or told.get("status") if isinstance(told, dict) else None
    if response.get("error") or (isinstance(status, int) and status >= 400):
        error = response.get("error")
        kind = (error.get("type") or error.get("code")) if isinstance(error, dict) else None
        raise ValueError(f"response: an error, not a reply: {_text(kind) or status or 'of unknown kind'}")
    choices = response.get("choices", [response] if "role" in response or "content" in response else None)
    if isinstance(choices, str):
        return response, [LoggedMessage("assistant", choices)]
    if not isinstance(choices, list) or not choices:
        raise ValueError("response: expected choices with a message each, got no reply: the call was aborted")
    return response, [_reply(choice) for choice in choices]


def _reply(choice: Any) -> LoggedMessage:
    if not isinstance(choice, dict):
        raise ValueError(f"response.choices: expected objects, got {type(choice).__name__}")
    if "delta" in choice:
        raise ValueError("response.choices: the chunk of a stream; log the reply that its chunks add up to")
    reply = _message(choice.get("message", choice), "response.choices.message")
    if reply.role != "assistant" or not (reply.text or "tool_calls" in reply.extras):
        raise ValueError("response.choices.message: expected a text or tool calls of the assistant")
    if choice.get("finish_reason") not in (None, "stop", "tool_calls"):
        return reply._replace(extras={**reply.extras, "finish_reason": choice["finish_reason"]})
    return reply


def _message(raw: Any, field: str) -> LoggedMessage:
    """A message; of parts that are no text (images, sound, files) only the kind is kept, in the extras."""
    try:
        message = msgspec.convert(raw, Message)
    except msgspec.ValidationError as error:
        raise ValueError(f"{field}.{reason(error)}".replace(".record:", ":")) from error
    if message.role not in ROLES:
        raise ValueError(f"{field}.role: expected one of {sorted(ROLES)}, got {message.role!r:.40}")
    extras = {key: value for key, value in others(raw, {"role", "content", "refusal"}).items() if value}
    msgspec.json.encode(extras.get("tool_calls"))  # nested too deeply, it fails here, where the record is judged
    if isinstance(message.content, str):
        return LoggedMessage(ROLES[message.role], message.content, extras=extras)
    parts = [part if isinstance(part, dict) else {} for part in message.content or []]
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    if len(texts) < len(parts):
        extras["parts"] = [_text(part.get("type")) for part in parts if not isinstance(part.get("text"), str)]
    return LoggedMessage(ROLES[message.role], "\n".join(texts) or message.refusal or "", extras=extras)


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and value != "" else None


def looks_like_call(record: Any) -> bool:
    """Whether a record holds both sides of a call."""
    if not isinstance(record, Mapping) or not record.keys() & {*RESPONSES}:
        return False
    if {"request", "response"} <= record.keys() or {"request_body", "response_body"} <= record.keys():
        return True
    request = next((record[key] for key in REQUESTS if isinstance(record.get(key), dict)), record)
    request = request["body"] if isinstance(request.get("body"), dict) else request
    return isinstance(request.get("messages"), list)
