"""Feedback and times that logs hold under other names.

All known names stand here. `read_feedback_keys` moves those of an unambiguous meaning from the extras of a
conversation into columns:

    key                    where                meaning                                    column
    chosen, rejected       conversation, reply  a reply and one that somebody liked less   alternatives, preferences
    label (true, false)    conversation, reply  the last reply is desirable or not (KTO)   rating 1, -1
    thumbs, feedback, …    conversation, reply  a thumb: true, "up", "👍", 1, …            rating 1, -1
    rating                 conversation, reply  a number                                   rating
    created_at, date, …    conversation, any    when it was written                        at

Feedback on a conversation, except `label`, `chosen` and `rejected`, is read only where the conversation has a single
reply, because it may be about any of several. A time of a conversation is put on message 0 where no message has a time.
Everything else keeps its place in the extras, and the keys of `FEEDBACK_KEYS` among it are reported: the stage `ingest`
prints a warning of them.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage, parse_time
from turnabout.sources.traffic.payloads import join_text_parts

#: Names of times, the first that can be read counts.
TIME_KEYS = ("created_at", "createdAt", "timestamp", "at", "sent_at", "date", "time")

#: Names of what says whether the last reply is desirable, as data for KTO has it.
LABEL_KEYS = ("label", "kto_tag")

#: Names of a person's thumb.
THUMB_KEYS = ("thumbs", "thumb", "feedback")

#: Names of feedback that fill a column where their value is unambiguous.
READ_KEYS = ("chosen", "rejected", "rating", *LABEL_KEYS, *THUMB_KEYS)

#: All names of feedback. Those that no column takes are reported.
FEEDBACK_KEYS = frozenset(READ_KEYS) | {
    "alternatives",
    "annotation",
    "annotations",
    "corrected",
    "correction",
    "csat",
    "disliked",
    "downvotes",
    "edited_text",
    "feedback_comment",
    "human_feedback",
    "is_helpful",
    "liked",
    "nps",
    "preference",
    "preferences",
    "rank",
    "ratings",
    "reaction",
    "reactions",
    "reward",
    "satisfaction",
    "score",
    "scores",
    "stars",
    "thumbs_down",
    "thumbs_up",
    "upvotes",
    "user_feedback",
    "user_rating",
    "vote",
    "votes",
}

#: All names that this module looks for.
KNOWN_KEYS = FEEDBACK_KEYS | {*TIME_KEYS}

#: Names of the assistant in `chosen` and `rejected`.
REPLY_SPEAKERS = ("assistant", "gpt", "ai", "model")

#: Thumbs in lower case, without blanks, `_`, `-`, colons and skin tones.
UP = frozenset({"👍", "1", "+1", "up", "thumbup", "thumbsup", "like", "liked", "positive", "true"})
DOWN = frozenset({"👎", "-1", "down", "thumbdown", "thumbsdown", "dislike", "disliked", "negative", "false"})
_DECORATION = re.compile("[\\s_:\ufe0f\U0001f3fb-\U0001f3ff]|-(?!1)")

#: Times before it are no times: `timestamp: 12.5` is an offset within a recording.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


def read_feedback_keys(conversation: LoggedConversation) -> LoggedConversation:
    """Return a conversation with its feedback and times in columns.

    `unread_feedback` names the feedback that no column takes.
    """
    if all(map(KNOWN_KEYS.isdisjoint, (conversation.extras, *(message.extras for message in conversation.messages)))):
        return conversation
    messages = [_read_message_extras(message) for message in conversation.messages]
    extras = dict(conversation.extras)
    _read_pair(messages, extras)
    _read_ratings(messages, extras)
    if messages and not any(message.at for message in messages):
        messages[0] = messages[0]._replace(at=_take_time(extras))
    unread = _find_unread(conversation.extras, extras)
    for before, message in zip(conversation.messages, messages, strict=False):
        unread |= _find_unread(before.extras, message.extras)
        if message.at is None:
            unread |= {key for key in TIME_KEYS if message.extras.get(key)}
    return conversation._replace(messages=messages, extras=extras, unread_feedback=sorted(unread))


def _find_unread(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """Return the keys of feedback that were not read.

    Their values are not empty, and the same after reading as before.
    """
    keys = FEEDBACK_KEYS & before.keys()
    return {key for key in keys if before[key] not in (None, "", [], {}) and after.get(key) is before[key]}


def _read_message_extras(message: LoggedMessage) -> LoggedMessage:
    """Return a message with feedback and time of its extras in columns."""
    if KNOWN_KEYS.isdisjoint(message.extras):
        return message
    extras = dict(message.extras)
    at = message.at or _take_time(extras)
    rating = message.rating
    if message.role == "assistant" and rating is None:
        rating = _take_rating(extras, ("rating", *LABEL_KEYS, *THUMB_KEYS))
    message = message._replace(at=at, rating=rating, extras=extras)
    rejected, chosen = extras.get("rejected"), extras.get("chosen", message.text)
    is_reply = message.role == "assistant" and message.alternatives is None
    if is_reply and chosen == message.text and isinstance(rejected, str) and rejected not in ("", message.text):
        message = message._replace(alternatives=[rejected], preferences=[1.0])
        _drop_keys(extras, "chosen", "rejected")
    return message


def _read_pair(messages: list[LoggedMessage], extras: dict[str, Any]) -> None:
    """Move `chosen` and `rejected` of a conversation to its last reply.

    Both arguments are changed in place. The chosen reply is the last message, or it is added after a message that is
    no reply. If it differs from the last reply, nothing is moved.
    """
    chosen, rejected = (_parse_reply(extras.get(key)) for key in ("chosen", "rejected"))
    if not messages or chosen is None or rejected is None or chosen == rejected:
        return
    last = messages[-1]
    if last.role != "assistant":
        last = LoggedMessage("assistant", chosen)
        messages.append(last)
    if last.text != chosen or last.alternatives is not None:
        return
    messages[-1] = last._replace(alternatives=[rejected], preferences=[1.0])
    _drop_keys(extras, "chosen", "rejected")


def _read_ratings(messages: list[LoggedMessage], extras: dict[str, Any]) -> None:
    """Move the rating of a conversation to the reply that it is about.

    Both arguments are changed in place.
    """
    replies = [index for index, message in enumerate(messages) if message.role == "assistant"]
    if not replies or messages[replies[-1]].rating is not None:
        return
    keys = LABEL_KEYS if replies[-1] == len(messages) - 1 else ()
    if len(replies) == 1:
        keys = ("rating", *keys, *THUMB_KEYS)
    messages[replies[-1]] = messages[replies[-1]]._replace(rating=_take_rating(extras, keys))


def _parse_reply(value: Any) -> str | None:
    """Return the text of a reply, or None.

    None means that the value is no reply, or more than one message. A reply is a text, `{role, content}`, `{from,
    value}`, or a list with one of these.
    """
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        return value if isinstance(value, str) and value else None
    speaker = value.get("role", value.get("from"))
    if speaker not in REPLY_SPEAKERS:
        return None
    try:
        return join_text_parts(value.get("content", value.get("value"))) or None
    except ValueError:
        return None


def _take_rating(extras: dict[str, Any], keys: Sequence[str]) -> float | None:
    """Return the rating under the first of the keys that holds one.

    The key is removed from the extras, in place; what stands beside a thumb in an object stays.
    """
    for key in keys:
        rating = _parse_rating(key, extras.get(key))
        if rating is not None:
            value = extras.pop(key)
            rest = {name: value[name] for name in value if name not in THUMB_KEYS} if isinstance(value, dict) else {}
            if rest:
                extras[key] = rest
            return rating
    return None


def _parse_rating(key: str, value: Any) -> float | None:
    """Return the value of a key as a rating; null if its meaning is uncertain.

    A number of `label` may be any class and `feedback: true` may say that there was some, so they are none.
    """
    if key == "rating":
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if is_number and abs(value) < 1e6 else _parse_thumb(value)
    if key in LABEL_KEYS:
        is_boolean = isinstance(value, bool) or (isinstance(value, str) and value.lower() in ("true", "false"))
        return _parse_thumb(value) if is_boolean else None
    if key == "feedback":
        if isinstance(value, dict):
            return next((_parse_thumb(value[name]) for name in ("thumbs", "thumb") if name in value), None)
        return None if isinstance(value, bool) else _parse_thumb(value)
    return _parse_thumb(value)


def _parse_thumb(value: Any) -> float | None:
    """Return 1 for a thumb up, -1 for a thumb down, null for anything else."""
    if not isinstance(value, str | int | float):
        return None
    name = _DECORATION.sub("", str(value).lower()).removesuffix(".0")
    return 1.0 if name in UP else -1.0 if name in DOWN else None


def _take_time(extras: dict[str, Any]) -> datetime | None:
    """Return the first time among the extras, and remove its key, in place."""
    for key in TIME_KEYS:
        value = extras.get(key)
        if isinstance(value, str) and re.fullmatch(r"\d{10}|\d{13}", value):
            value = int(value)
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime.combine(value, time.min, UTC)
        if isinstance(value, bool) or not isinstance(value, str | int | float | datetime):
            continue
        try:
            at = parse_time(value, key)
        except ValueError:
            continue
        if at >= EARLIEST:
            _drop_keys(extras, key)
            return at
    return None


def _drop_keys(extras: dict[str, Any], *keys: str) -> None:
    for key in keys:
        extras.pop(key, None)
