"""Calls of a chat-completion API, in the shapes that they are logged in."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from turnabout.sources.table.conversation import LoggedMessage, parse_time
from turnabout.sources.table.extras import select_other_keys
from turnabout.sources.table.rejects import describe_error

#: Keys of a record that hold the request, the response, the user and the time, the first of each that is present.
REQUESTS = ("request", "input", "request_body")
RESPONSES = ("response", "output", "response_body")
USERS = ("user", "user_id", "safety_identifier", "end_user")
TIMES = ("created_at", "timestamp", "startTime")

#: Keys that are read from a record.
RECORD_KEYS = (*REQUESTS, *RESPONSES, *USERS, *TIMES, "messages", "model", "error")

ROLES = {
    **{role: role for role in ("system", "user", "assistant", "tool")},
    "developer": "system",
    "function": "tool",
}


class Call(NamedTuple):
    """One call: the messages of the request, and the replies.

    The first reply was shown to the user.
    """

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


def parse_call(record: Any) -> Call:
    """Return the call that a record holds.

    Raises `ValueError` where the request or a reply is missing or of another shape.
    """
    if not isinstance(record, dict):
        raise ValueError(f"record: expected an object with request and response, got {type(record).__name__}")
    request_key = next((key for key in REQUESTS if record.get(key) is not None), None)
    response_key = next((key for key in RESPONSES if key in record), None)
    request = _parse_object(record[request_key] if request_key else record, "messages")
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ValueError(f"request: expected a list of messages under one of {REQUESTS}")
    response, replies = _parse_replies(record[response_key] if response_key else record.get("error"))
    extras = select_other_keys(record, {request_key or "", response_key or "", *USERS, *TIMES, "messages"})
    time = response.get("created") or next((record[key] for key in TIMES if record.get(key) is not None), None)
    of_request = select_other_keys(request, {"messages", "model", *USERS}) if request_key else {}
    of_response = select_other_keys(
        response, {"choices", "id", "created", "model", "object", "role", "content", "tool_calls", "refusal"}
    )
    further = {"request": of_request, "response": of_response}
    return Call(
        history=[_parse_message(message, "request.messages") for message in messages],
        replies=replies,
        call_id=_to_text(response.get("id")),
        user=_find_user(request, record),
        model=_to_text(response.get("model") or request.get("model") or record.get("model")),
        at=None if time is None else parse_time(time, "created"),
        extras=extras | {name: fields for name, fields in further.items() if fields},
    )


def _find_user(request: Mapping[str, Any], record: Mapping[str, Any]) -> str | None:
    for container in (request, record):
        for key in USERS:
            if container.get(key):
                return _to_text(container[key])
    return None


def _parse_object(value: Any, key: str) -> dict[str, Any]:
    """Return an object from one of the forms in which it is logged.

    These are the object itself, its JSON in a text, an HTTP message with the object as `body`, and the bare list that
    the object would hold under `key`.
    """
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise ValueError(f"{key}: JSON in a text that is broken: {error}") from error
    if isinstance(value, dict) and value.get("body") is not None:
        return _parse_object(value["body"], key)
    return value if isinstance(value, dict) else {key: value}


def _parse_replies(value: Any) -> tuple[dict[str, Any], list[LoggedMessage]]:
    """Return the response as an object, and the replies in it.

    Raises `ValueError` where the call failed.
    """
    response = _parse_object(value, "choices")
    status = value.get("status_code") or value.get("status") if isinstance(value, dict) else None
    if response.get("error") or (isinstance(status, int) and status >= 400):
        error = response.get("error")
        kind = (error.get("type") or error.get("code")) if isinstance(error, dict) else None
        raise ValueError(f"response: an error, not a reply: {_to_text(kind) or status or 'of unknown kind'}")
    choices = response.get("choices", [response] if "role" in response or "content" in response else None)
    if isinstance(choices, str):
        return response, [LoggedMessage("assistant", choices)]
    if not isinstance(choices, list) or not choices:
        raise ValueError("response: expected choices with a message each, got no reply: the call was aborted")
    return response, [_parse_reply(choice) for choice in choices]


def _parse_reply(choice: Any) -> LoggedMessage:
    if not isinstance(choice, dict):
        raise ValueError(f"response.choices: expected objects, got {type(choice).__name__}")
    if "delta" in choice:
        raise ValueError("response.choices: the chunk of a stream; log the reply that its chunks add up to")
    reply = _parse_message(choice.get("message", choice), "response.choices.message")
    if reply.role != "assistant" or not (reply.text or "tool_calls" in reply.extras):
        raise ValueError("response.choices.message: expected a text or tool calls of the assistant")
    if choice.get("finish_reason") not in (None, "stop", "tool_calls"):
        return reply._replace(extras={**reply.extras, "finish_reason": choice["finish_reason"]})
    return reply


def _parse_message(raw: Any, field: str) -> LoggedMessage:
    """Return a message.

    Of parts that are no text (images, sound, files) only the type is kept, in the extras.
    """
    try:
        message = msgspec.convert(raw, Message)
    except msgspec.ValidationError as error:
        raise ValueError(f"{field}.{describe_error(error)}".replace(".record:", ":")) from error
    if message.role not in ROLES:
        raise ValueError(f"{field}.role: expected one of {sorted(ROLES)}, got {message.role!r:.40}")
    other = select_other_keys(raw, {"role", "content", "refusal"})
    extras = {key: value for key, value in other.items() if value}
    msgspec.json.encode(extras.get("tool_calls"))  # raises here if nested too deeply, so that the record is rejected
    if isinstance(message.content, str):
        return LoggedMessage(ROLES[message.role], message.content, extras=extras)
    parts = [part if isinstance(part, dict) else {} for part in message.content or []]
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    if len(texts) < len(parts):
        extras["parts"] = [_to_text(part.get("type")) for part in parts if not isinstance(part.get("text"), str)]
    return LoggedMessage(ROLES[message.role], "\n".join(texts) or message.refusal or "", extras=extras)


def _to_text(value: Any) -> str | None:
    """Return a text or number as text.

    Null for any other value and for an empty text.
    """
    return str(value) if isinstance(value, str | int) and value != "" else None


def looks_like_call(record: Any) -> bool:
    """Return whether a record holds both a request and a response."""
    if not isinstance(record, Mapping) or not record.keys() & {*RESPONSES}:
        return False
    if {"request", "response"} <= record.keys() or {"request_body", "response_body"} <= record.keys():
        return True
    request = next((record[key] for key in REQUESTS if isinstance(record.get(key), dict)), record)
    request = request["body"] if isinstance(request.get("body"), dict) else request
    return isinstance(request.get("messages"), list)
