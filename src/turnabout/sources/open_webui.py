"""Open WebUI: the export of chats, and the export of feedback (evaluations), as JSON arrays.

A chat, an item of the first (Settings → Data Controls → Export Chats; for all people, Admin Panel → Database):

    {"id": "c1", "user_id": "ann", "title": "Trip", "chat": {"history": {"currentId": "d", "messages": {
      "a": {"id": "a", "parentId": null, "childrenIds": ["b", "d"], "role": "user", "content": "Rome or Oslo?",
            "timestamp": 1714550400},
      "b": {"id": "b", "parentId": "a", "childrenIds": [], "role": "assistant", "content": "Hm.", "model": "m-7"},
      "d": {"id": "d", "parentId": "a", "childrenIds": [], "role": "assistant", "content": "Oslo, in June.",
            "model": "m-7", "originalContent": "Oslo.", "annotation": {"rating": 1, "reason": "creativity"}}}}}}

becomes

    conversation_id  message_index  role       text           user_key  rating  edited_text     alternatives
    c1               0              user       Rome or Oslo?  ann
    c1               1              assistant  Oslo.                    1.0     Oslo, in June.  ["Hm."]

Feedback (Admin Panel → Evaluations → Feedbacks → Export) holds one rating each, and the chat as it was:

    {"id": "f1", "user_id": "ann", "type": "rating",
     "data": {"rating": 1, "model_id": "m-7", "sibling_model_ids": ["m-8"]},
     "meta": {"chat_id": "c1", "message_id": "d", "arena": false}, "snapshot": {"chat": {"id": "c1", "chat": {…}}}}

becomes that chat, on the branch of the rated message. Chats keep their ratings, so one of the two exports is enough; a
chat that comes twice is read once.

- The conversation is the branch that ends at `currentId`. The other replies to the same message, regenerated or by a
  second model, are the reply's alternatives. Branches from a message that the user edited and sent again are not read.
- `preferences` compare ratings: a reply rated above an alternative, or, of replies that stood side by side (`modelIdx`
  differs, or an arena), rated while the alternative was not: Open WebUI's own leaderboard counts that as won or lost.
- An edited reply keeps only the text before its last edit (`originalContent`); that is the text, the edit is
  `edited_text`. A filter of the server that rewrites replies leaves the same trace, and a reply that somebody edited
  and saved as a copy looks like a regeneration.
- Blocks of reasoning, calls of tools and code in a reply (`<details type="reasoning" …>`) are left out.
- `annotation` (reason, comment, tags, details) and `error` are kept in `extras`; files and sources are not.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

import msgspec

from turnabout.sources.files import FileSource
from turnabout.sources.open_webui_chats import Chat, Feedback, Node, branch
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage, instant
from turnabout.sources.traffic.payloads import text_of
from turnabout.sources.traffic.turns import preference

#: What Open WebUI writes into a reply for its own display.
_DISPLAY = re.compile(r'<details\s+type="(?:reasoning|tool_calls|code_interpreter)"[^>]*>.*?</details>\s*', re.S | re.I)


class OpenWebui(FileSource):
    """Chats with their ratings, regenerations and edits."""

    format: Literal["open_webui"] = "open_webui"

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Whether it holds a tree of messages under `chat`, or a snapshot of one."""
        if not isinstance(content, dict):
            return False
        chat = content.get("snapshot", content)
        while isinstance(chat, dict) and isinstance(chat.get("chat"), dict):
            chat = chat["chat"]
        return isinstance(chat, dict) and isinstance(chat.get("history"), dict) and "messages" in chat["history"]

    def conversations(self, content: Any) -> Iterator[LoggedConversation]:
        """The current branch of a chat; of feedback, the branch of the rated message."""
        if not isinstance(content, dict) or "snapshot" not in content:
            yield conversation(msgspec.convert(content, Chat))
            return
        feedback = msgspec.convert(content, Feedback)
        chat = msgspec.convert(feedback.snapshot.get("chat"), Chat)
        nodes, rated = chat.chat.history.messages, feedback.meta.get("message_id")
        if rated not in nodes:
            raise ValueError("meta.message_id: not among the messages of the snapshot")
        nodes[rated].annotation = {**(nodes[rated].annotation or {}), **feedback.data}
        if rated not in branch(chat.chat.history):
            chat.chat.history.current_id = rated
        chat.user_id = chat.user_id or feedback.user_id
        yield conversation(chat)


def conversation(chat: Chat) -> LoggedConversation:
    """The current branch with the system prompt of the chat before it. Raises `ValueError` where it is empty."""
    history = chat.chat.history
    messages = [_message(key, history.messages) for key in branch(history)]
    if not messages:
        raise ValueError("history: no current message")
    system = (chat.chat.params or {}).get("system")
    if system:
        messages.insert(0, LoggedMessage("system", text_of(system)))
    extras = {"title": chat.title} if chat.title else {}
    return LoggedConversation(messages, conversation_id=chat.id, user_id=chat.user_id, extras=extras)


def _message(key: str, nodes: dict[str, Node]) -> LoggedMessage:
    node = nodes[key]
    if node.role != "assistant":
        return LoggedMessage(node.role, text_of(node.content), at=_at(node))
    written, shown = node.original_content, reply_text(node.content)
    siblings = nodes[node.parent_id].children_ids if node.parent_id else []
    others = [nodes[other] for other in siblings if other != key and other in nodes]
    others = [other for other in others if other.role == "assistant" and reply_text(other.content)]
    annotation = {name: value for name, value in (node.annotation or {}).items() if name != "rating" and value}
    return LoggedMessage(
        role="assistant",
        text=shown if written is None else reply_text(written),
        at=_at(node),
        rating=rating(node),
        edited_text=None if written is None else shown,
        alternatives=[reply_text(other.content) for other in others] or None,
        preferences=_preferences(node, others),
        model=node.model,
        extras=({"annotation": annotation} if annotation else {}) | ({"error": node.error} if node.error else {}),
    )


def _at(node: Node) -> datetime | None:
    return instant(node.timestamp, "timestamp") if node.timestamp else None


def reply_text(content: Any) -> str:
    """The text of a reply without the blocks that only its display needs."""
    return _DISPLAY.sub("", text_of(content)).strip()


def rating(node: Node) -> float | None:
    """Thumbs: 1 or -1, which older versions wrote as texts; null where nobody rated."""
    came = (node.annotation or {}).get("rating")
    if came is None:
        return None
    if str(came) not in ("1", "-1", "0"):
        raise ValueError(f"annotation.rating: expected 1, 0 or -1, got {came!r}")
    return float(came)


def _preferences(node: Node, others: list[Node]) -> list[float | None] | None:
    """One for each other reply; null where they are neither rated nor side by side: somebody just asked again."""
    found = [_preference(node, other) for other in others]
    is_told = any(_is_beside(node, other) or score is not None for other, score in zip(others, found, strict=True))
    return found if is_told else None


def _is_beside(node: Node, other: Node) -> bool:
    return node.model_idx != other.model_idx or bool(node.arena or other.arena)


def _preference(node: Node, other: Node) -> float | None:
    unrated = 0.0 if _is_beside(node, other) and (rating(node) is not None or rating(other) is not None) else None
    return preference(
        unrated if rating(node) is None else rating(node), unrated if rating(other) is None else rating(other)
    )
