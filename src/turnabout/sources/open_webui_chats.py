"""Chats of Open WebUI as it keeps them: a tree of messages, one branch of which is on the screen."""

from typing import Any, Literal

import msgspec


class Node(msgspec.Struct, rename="camel"):
    """One message of the tree."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | list[Any] | None = None
    parent_id: str | None = None
    children_ids: list[str] = []
    original_content: str | None = None
    timestamp: Any = None
    model: str | None = None
    model_idx: int | None = None
    arena: bool | None = None
    annotation: dict[str, Any] | None = None
    error: Any = None


class History(msgspec.Struct, rename="camel"):
    """The tree."""

    messages: dict[str, Node]
    current_id: str | None = None


class Content(msgspec.Struct):
    """What the interface keeps of a chat."""

    history: History
    params: dict[str, Any] | None = None


class Chat(msgspec.Struct):
    """One item of the export of chats."""

    chat: Content
    id: str | None = None
    user_id: str | None = None
    title: str | None = None


class Feedback(msgspec.Struct):
    """One item of the export of feedback, without its chat."""

    data: dict[str, Any]
    meta: dict[str, Any]
    snapshot: dict[str, Any]
    user_id: str | None = None


def branch(history: History) -> list[str]:
    """Ids from the root to the current message. Raises `ValueError` where the way back ends before the root."""
    way: dict[str, Node] = {}
    key = history.current_id
    while key is not None:
        if key not in history.messages or key in way:
            raise ValueError("history: the current message does not lead back to the first")
        way[key] = history.messages[key]
        key = way[key].parent_id
    return list(way)[::-1]
