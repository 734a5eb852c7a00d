"""Inputs and outputs of traced calls, in the shapes of APIs and tracers.

`{"messages": [{"role": "user", "content": "hi"}]}`, that list alone, `{"args": ["hi"], "kwargs": {}}`,
`{"question": "hi"}` and `"hi"` are the same input; `{"choices": [{"message": {"content": "hello"}}]}`,
`{"role": "assistant", "content": [{"type": "text", "text": "hello"}]}`, `{"answer": "hello"}` and `"hello"` are the
same output. JSON that stands in a text is decoded.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

#: Names of roles in other tools, besides the four of the table of messages.
ROLES = {
    **{role: role for role in ("system", "user", "assistant", "tool")},
    "developer": "system",
    "human": "user",
    "ai": "assistant",
    "model": "assistant",
    "function": "tool",
}

#: Keys of an object that hold the user's text, and the assistant's reply.
QUESTIONS = ("input", "question", "query", "prompt", "message", "text", "user_question", "user_input", "content")
ANSWERS = ("output", "answer", "response", "reply", "text", "result", "completion", "output_text", "content")

#: Types of the parts of a message that hold text.
TEXT_PARTS = ("text", "input_text", "output_text")


class InputMessage(msgspec.Struct):
    """One message of an input."""

    role: str
    text: str


def parse_input(payload: Any) -> list[InputMessage]:
    """Return the messages of an input.

    Raises `ValueError` where it holds none.
    """
    content = _decode_json(payload)
    if isinstance(content, str):
        return [InputMessage("user", content)]
    if isinstance(content, list):
        return parse_messages(content[0] if content and isinstance(content[0], list) else content)
    if isinstance(content, dict) and "kwargs" in content and "args" in content:
        return parse_input(content["kwargs"] or (content["args"] or [None])[-1])
    if isinstance(content, dict):
        system = content.get("system") or content.get("instructions")
        first = [InputMessage("system", join_text_parts(system))] if system else []
        return first + parse_input(content["messages"] if "messages" in content else _find_question(content))
    raise ValueError(f"input: holds no message, came {type(content).__name__}")


def parse_output(payload: Any) -> str:
    """Return the text of an output.

    Raises `ValueError` where it holds none.
    """
    content = _decode_json(payload)
    if content is payload:
        return _parse_reply(content)
    try:
        return _parse_reply(content)
    except ValueError:
        return str(payload)  # an assistant that answers in JSON


def _parse_reply(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        replies = [message for message in parse_messages(content) if message.role == "assistant"]
        if not replies:
            raise ValueError("output: holds no message of the assistant")
        return replies[-1].text
    if not isinstance(content, dict):
        raise ValueError(f"output: holds no reply, came {type(content).__name__}")
    if "content" in content and "role" in content:
        return join_text_parts(content["content"])
    inner = next((content[key] for key in ("choices", "message", "messages", *ANSWERS) if content.get(key)), None)
    if inner is None:
        raise ValueError(f"output: no reply under the keys {sorted(content)}")
    if isinstance(inner, list) and isinstance(inner[0], dict) and "message" in inner[0]:
        return _parse_reply(inner[0]["message"])  # a choice
    return _parse_reply(inner)


def find_model(*payloads: Any) -> str | None:
    """Return the first model that the payloads name; null if none."""
    models = (payload.get("model") for payload in map(_decode_json, payloads) if isinstance(payload, dict))
    return next((model for model in models if isinstance(model, str) and model), None)


def parse_messages(messages: Iterable[Any]) -> list[InputMessage]:
    """Return messages with the roles of the table of messages.

    Items that are no messages (reasoning, calls of tools) are left out. Raises `ValueError` where no message is left.
    """
    parsed = []
    for message in messages:
        if not isinstance(message, dict):
            raise ValueError(f"messages: expected objects, came {type(message).__name__}")
        role = message.get("role") or message.get("type")
        if not isinstance(role, str) or (role not in ROLES and "content" in message):
            raise ValueError(f"messages.role: expected one of {sorted(ROLES)}, got {role!r:.40}")
        if role not in ROLES:
            continue
        parsed.append(InputMessage(ROLES[role], join_text_parts(message.get("content"))))
    if not parsed:
        raise ValueError("messages: none there")
    return parsed


def join_text_parts(content: Any) -> str:
    """Return the text of a message's content.

    A string stays as it is, text parts are joined by line breaks, null (beside calls of tools) is an empty text. Raises
    `ValueError` for parts that are no text.
    """
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


def _decode_json(payload: Any) -> Any:
    """Return the payload, or the object or list that a text holds as JSON."""
    if not isinstance(payload, str) or not payload.lstrip().startswith(("{", "[")):
        return payload
    try:
        return msgspec.json.decode(payload)
    except ValueError:
        return payload


def _find_question(content: dict[str, Any]) -> Any:
    """Return what stands under the first present key of `QUESTIONS`.

    Without such a key, return the only text of the object.
    """
    texts = [value for value in content.values() if isinstance(value, str)]
    for key in QUESTIONS:
        if content.get(key):
            return content[key]
    if len(texts) == 1:
        return texts[0]
    raise ValueError(f"input: no text under the keys {sorted(content)}")
