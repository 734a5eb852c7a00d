"""What one traced call of an assistant was asked and replied, from the shapes in which chat APIs and tracers write it.

`{"messages": [{"role": "user", "content": "hi"}]}`, that list alone, `{"args": ["hi"], "kwargs": {}}`,
`{"question": "hi"}` and `"hi"` all ask the same; `{"choices": [{"message": {"content": "hello"}}]}`,
`{"role": "assistant", "content": [{"type": "text", "text": "hello"}]}`, `{"answer": "hello"}` and `"hello"` all reply
the same. JSON that stands in a text is read.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

#: Names of roles in other tools, beside the four of the table of messages.
ROLES = {
    **{role: role for role in ("system", "user", "assistant", "tool")},
    "developer": "system",
    "human": "user",
    "ai": "assistant",
    "model": "assistant",
    "function": "tool",
}

#: Keys of an object that hold what the user said, and what the assistant replied.
QUESTIONS = ("input", "question", "query", "prompt", "message", "text", "user_question", "user_input", "content")
ANSWERS = ("output", "answer", "response", "reply", "text", "result", "completion", "output_text", "content")

#: Parts of a message that hold text.
TEXT_PARTS = ("text", "input_text", "output_text")


class Said(msgspec.Struct):
    """One message."""

    role: str
    text: str


def asked(payload: Any) -> list[Said]:
    """The messages of an input. Raises `ValueError` where it holds none."""
    told = _decoded(payload)
    if isinstance(told, str):
        return [Said("user", told)]
    if isinstance(told, list):
        return said(told[0] if told and isinstance(told[0], list) else told)
    if isinstance(told, dict) and "kwargs" in told and "args" in told:
        return asked(told["kwargs"] or (told["args"] or [None])[-1])
    if isinstance(told, dict):
        system = told.get("system") or told.get("instructions")
        first = [Said("system", text_of(system))] if system else []
        return first + asked(told["messages"] if "messages" in told else _question(told))
    raise ValueError(f"input: holds no message, came {type(told).__name__}")


def replied(payload: Any) -> str:
    """The text of an output. Raises `ValueError` where it holds none."""
    told = _decoded(payload)
    if told is payload:
        return _reply(told)
    try:
        return _reply(told)
    except ValueError:
        return str(payload)  # an assistant that answers in JSON


def _reply(told: Any) -> str:
    if isinstance(told, str):
        return told
    if isinstance(told, list):
        replies = [message for message in said(told) if message.role == "assistant"]
        if not replies:
            raise ValueError("output: holds no message of the assistant")
        return replies[-1].text
    if not isinstance(told, dict):
        raise ValueError(f"output: holds no reply, came {type(told).__name__}")
    if "content" in told and "role" in told:
        return text_of(told["content"])
    inner = next((told[key] for key in ("choices", "message", "messages", *ANSWERS) if told.get(key)), None)
    if inner is None:
        raise ValueError(f"output: no reply under the keys {sorted(told)}")
    if isinstance(inner, list) and isinstance(inner[0], dict) and "message" in inner[0]:
        return _reply(inner[0]["message"])  # a choice
    return _reply(inner)


def model_of(*payloads: Any) -> str | None:
    """The model that the first of these names."""
    told = (payload.get("model") for payload in map(_decoded, payloads) if isinstance(payload, dict))
    return next((model for model in told if isinstance(model, str) and model), None)


def said(messages: Iterable[Any]) -> list[Said]:
    """Messages with the roles of the table; items that are no messages (reasoning, calls of tools) are left out."""
    found = []
    for message in messages:
        if not isinstance(message, dict):
            raise ValueError(f"messages: expected objects, came {type(message).__name__}")
        role = message.get("role") or message.get("type")
        if not isinstance(role, str) or (role not in ROLES and "content" in message):
            raise ValueError(f"messages.role: expected one of {sorted(ROLES)}, got {role!r:.40}")
        if role not in ROLES:
            continue
        found.append(Said(ROLES[role], text_of(message.get("content"))))
    if not found:
        raise ValueError("messages: none there")
    return found


def text_of(content: Any) -> str:
    """The text of a content: itself, its text parts joined by line breaks, or none beside calls of tools."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise ValueError(f"messages.content: expected text or parts, came {type(content).__name__}")
    for part in content:
        if not isinstance(part, dict) or part.get("type") not in TEXT_PARTS or not isinstance(part.get("text"), str):
            kind = part.get("type") if isinstance(part, dict) else type(part).__name__
            raise ValueError(f"messages.content: only text parts can be read, came {kind!r:.40}")
    return "\n".join(part["text"] for part in content)


def _decoded(payload: Any) -> Any:
    """The payload, or what a text of JSON holds."""
    if not isinstance(payload, str) or not payload.lstrip().startswith(("{", "[")):
        return payload
    try:
        return msgspec.json.decode(payload)
    except ValueError:
        return payload


def _question(told: dict[str, Any]) -> Any:
    """What stands under the first of `QUESTIONS` that is there, else the one text of the object."""
    texts = [value for value in told.values() if isinstance(value, str)]
    for key in QUESTIONS:
        if told.get(key):
            return told[key]
    if len(texts) == 1:
        return texts[0]
    raise ValueError(f"input: no text under the keys {sorted(told)}")
