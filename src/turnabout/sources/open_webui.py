"""Open WebUI: exports of chats and of feedback, as JSON arrays.

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
chat that occurs twice is read once.

- The conversation is the branch that ends at `currentId`. The other replies to the same message, regenerated or by a
  second model, are the reply's alternatives. Branches from a message that the user edited and sent again are not read.
- `preferences` compare the ratings of a reply and an alternative. If both were shown side by side (`modelIdx` differs,
  or an arena) and only one of them was rated, the other counts as rated 0: Open WebUI's own leaderboard counts that as
  won or lost.
- An edited reply keeps only the text before its last edit (`originalContent`); that is the text, the edit is
  `edited_text`. A filter of the server that rewrites replies leaves the same trace, and a reply that somebody edited
  and saved as a copy looks like a regeneration.
- Blocks of reasoning, calls of tools and code in a reply (`<details type="reasoning" …>`) are left out.
- `annotation` (reason, comment, tags, details) and `error` are kept in `extras`; files and sources are not.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar, Literal

import msgspec

from turnabout.sources.files import FileSource
from turnabout.sources.open_webui_chats import Chat, Feedback, Node, list_current_branch
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage, parse_time
from turnabout.sources.traffic.payloads import join_text_parts
from turnabout.sources.traffic.turns import compare_ratings

#: Blocks that Open WebUI writes into a reply for its own display.
_DISPLAY = re.compile(r'<details\s+type="(?:reasoning|tool_calls|code_interpreter)"[^>]*>.*?</details>\s*', re.S | re.I)


class OpenWebui(FileSource):
    """Chats with their ratings, regenerations and edits."""

    format: Literal["open_webui"] = "open_webui"
    record_keys: ClassVar[frozenset[str]] = frozenset({*Chat.__struct_fields__, *Feedback.__struct_fields__})

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Return whether a record holds a tree of messages.

        The tree stands under `chat`, or in a snapshot of a chat.
        """
        if not isinstance(content, dict):
            return False
        chat = content.get("snapshot", content)
        while isinstance(chat, dict) and isinstance(chat.get("chat"), dict):
            chat = chat["chat"]
        return isinstance(chat, dict) and isinstance(chat.get("history"), dict) and "messages" in chat["history"]

    def parse_record(self, content: Any) -> Iterator[LoggedConversation]:
        """Yield the current branch of a chat.

        Of feedback, yield the branch of the rated message.
        """
        if not isinstance(content, dict) or "snapshot" not in content:
            yield build_conversation(msgspec.convert(content, Chat))
            return
        feedback = msgspec.convert(content, Feedback)
        chat = msgspec.convert(feedback.snapshot.get("chat"), Chat)
        nodes, rated = chat.chat.history.messages, feedback.meta.get("message_id")
        if rated not in nodes:
            raise ValueError("meta.message_id: not among the messages of the snapshot")
        nodes[rated].annotation = {**(nodes[rated].annotation or {}), **feedback.data}
        if rated not in list_current_branch(chat.chat.history):
            chat.chat.history.current_id = rated
        chat.user_id = chat.user_id or feedback.user_id
        yield build_conversation(chat)


def build_conversation(chat: Chat) -> LoggedConversation:
    """Return the current branch, after the system prompt of the chat.

    Raises `ValueError` where the branch is empty.
    """
    history = chat.chat.history
    messages = [_build_message(key, history.messages) for key in list_current_branch(history)]
    if not messages:
        raise ValueError("history: no current message")
    system = (chat.chat.params or {}).get("system")
    if system:
        messages.insert(0, LoggedMessage("system", join_text_parts(system)))
    extras = {"title": chat.title} if chat.title else {}
    return LoggedConversation(messages, conversation_id=chat.id, user_id=chat.user_id, extras=extras)


def _build_message(key: str, nodes: dict[str, Node]) -> LoggedMessage:
    node = nodes[key]
    if node.role != "assistant":
        return LoggedMessage(node.role, join_text_parts(node.content), at=_parse_timestamp(node))
    original, current = node.original_content, strip_display_blocks(node.content)
    siblings = nodes[node.parent_id].children_ids if node.parent_id else []
    alternatives = [nodes[other] for other in siblings if other != key and other in nodes]
    alternatives = [
        other for other in alternatives if other.role == "assistant" and strip_display_blocks(other.content)
    ]
    annotation = {name: value for name, value in (node.annotation or {}).items() if name != "rating" and value}
    return LoggedMessage(
        role="assistant",
        text=current if original is None else strip_display_blocks(original),
        at=_parse_timestamp(node),
        rating=parse_rating(node),
        edited_text=None if original is None else current,
        alternatives=[strip_display_blocks(other.content) for other in alternatives] or None,
        preferences=_compare_with_alternatives(node, alternatives),
        model=node.model,
        extras=({"annotation": annotation} if annotation else {}) | ({"error": node.error} if node.error else {}),
    )


def _parse_timestamp(node: Node) -> datetime | None:
    return parse_time(node.timestamp, "timestamp") if node.timestamp else None


def strip_display_blocks(content: Any) -> str:
    """Return the text of a reply without the blocks that are only for display."""
    return _DISPLAY.sub("", join_text_parts(content)).strip()


def parse_rating(node: Node) -> float | None:
    """Return a thumb as 1 or -1; null where nobody rated.

    Older versions wrote ratings as texts.
    """
    rating = (node.annotation or {}).get("rating")
    if rating is None:
        return None
    if str(rating) not in ("1", "-1", "0"):
        raise ValueError(f"annotation.rating: expected 1, 0 or -1, got {rating!r}")
    return float(rating)


def _compare_with_alternatives(node: Node, alternatives: list[Node]) -> list[float | None] | None:
    """Return the preference over each alternative.

    Null where no alternative was rated or shown side by side: the user just asked again.
    """
    preferences = [_compare_replies(node, other) for other in alternatives]
    is_rated = any(preference is not None for preference in preferences)
    if is_rated or any(_is_side_by_side(node, other) for other in alternatives):
        return preferences
    return None


def _is_side_by_side(node: Node, other: Node) -> bool:
    return node.model_idx != other.model_idx or bool(node.arena or other.arena)


def _compare_replies(node: Node, other: Node) -> float | None:
    """Return the preference of a reply over another.

    Of two replies side by side, one of which was rated, the other counts as rated 0.
    """
    own_rating, other_rating = parse_rating(node), parse_rating(other)
    is_any_rated = own_rating is not None or other_rating is not None
    if is_any_rated and _is_side_by_side(node, other):
        own_rating, other_rating = own_rating or 0.0, other_rating or 0.0
    return compare_ratings(own_rating, other_rating)
