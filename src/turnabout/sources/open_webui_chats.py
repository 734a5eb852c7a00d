"""Chats of Open WebUI: trees of messages with one current branch."""

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
    """The tree of messages by their ids."""

    messages: dict[str, Node]
    current_id: str | None = None


class Content(msgspec.Struct):
    """The content of a chat, as the interface stores it."""

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


def list_current_branch(history: History) -> list[str]:
    """Return the ids from the root to the current message.

    Raises `ValueError` where the parents of the current message do not lead to the root.
    """
    nodes: dict[str, Node] = {}
    key = history.current_id
    while key is not None:
        if key not in history.messages or key in nodes:
            raise ValueError("history: the current message does not lead back to the first")
        nodes[key] = history.messages[key]
        key = nodes[key].parent_id
    return list(nodes)[::-1]
