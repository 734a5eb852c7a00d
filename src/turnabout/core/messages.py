"""One message of a conversation, as chat templates read it."""

from typing import TypedDict


class Message(TypedDict):
    """Role and text of one message."""

    role: str
    content: str
