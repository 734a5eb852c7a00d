"""Conversations as rows of the table of messages."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from math import isfinite
from typing import Any

import polars as pl
import pyarrow as pa

from turnabout.core import schemas
from turnabout.core.schemas import UNKNOWN_PERSON
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage, hash_content, to_utc

#: Roles of the table of messages.
ROLES = frozenset({"system", "user", "assistant", "tool"})

#: Fields of a message that hold one text or name, besides its role.
TEXT_FIELDS = ("text", "reaction", "edited_text", "model", "user_key")

_encode_json = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False, default=str).encode


class MessageTable:
    """Growing columns of `schemas.MESSAGES`.

    Whole conversations are added in the order they come.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.columns: dict[str, list[Any]] = {name: [] for name in schemas.MESSAGES}
        self.content_ids: set[str] = set()
        """Ids that are hashes of the content, because the log gave none."""
        self.n_bytes = 0
        """Size of all texts so far, in UTF-8."""

    def __len__(self) -> int:
        """Return the number of messages so far."""
        return len(self.columns["text"])

    def add(self, conversation: LoggedConversation) -> None:
        """Add one conversation.

        Raises `ValueError`, and adds nothing, where the table cannot hold it.
        """
        messages = conversation.messages
        if not messages:
            raise ValueError("messages: expected at least one, got none")
        n = len(messages)
        logged = dict(zip(LoggedMessage._fields, zip(*messages, strict=True), strict=True))  # a tuple for each field
        if not ROLES.issuperset(logged["role"]):
            raise ValueError(f"role: expected one of {sorted(ROLES)}, got {sorted(set(logged['role']) - ROLES)}")
        n_bytes = _count_bytes(_chain_strings(conversation, logged))
        key = conversation.conversation_id or hash_content(messages)
        keys = {"user": conversation.user_id or f"{UNKNOWN_PERSON}{key}"}
        rows: dict[str, Iterable[Any]] = {
            **logged,
            "conversation_id": repeat(key, n),
            "message_index": range(n),
            "at": [time and to_utc(time) for time in logged["at"]] if any(logged["at"]) else logged["at"],
            "user_key": [own or keys.get(role) for own, role in zip(logged["user_key"], logged["role"], strict=True)],
            "source": repeat(self.source, n),
            "model": [model or conversation.model for model in logged["model"]],
            "language": repeat(conversation.language, n),
            "rating": check_finite(logged["rating"], "rating"),
            "preferences": [scores and check_finite(scores, "preferences") for scores in logged["preferences"]],
        }
        rows["extras"] = extras = _encode_extras(conversation.extras, logged["extras"])
        self.n_bytes += n_bytes + _count_bytes(extras)
        if not conversation.conversation_id:
            self.content_ids.add(key)
        for name, values in rows.items():
            self.columns[name].extend(values)

    def to_frame(self) -> pl.DataFrame:
        """Return the rows so far."""
        times = pa.array(self.columns["at"], pa.timestamp("us", "UTC"))  # three times as fast as Polars takes datetimes
        return pl.DataFrame({**self.columns, "at": pl.Series(times)}, schema=schemas.MESSAGES)


def check_finite(numbers: Sequence[float | None], field: str) -> Sequence[float | None]:
    """Return the numbers.

    Raises `ValueError` naming `field` where one is infinite, not a number or too large to be a float.
    """
    try:
        if not any(numbers) or all(number is None or isfinite(number) for number in numbers):
            return numbers
    except OverflowError:
        pass
    raise ValueError(f"{field}: expected a finite number, got NaN, infinity or one beyond 1e308")


def _chain_strings(conversation: LoggedConversation, logged: Mapping[str, tuple[Any, ...]]) -> Iterable[str | None]:
    """Return the strings of a conversation, except roles and extras.

    `logged` holds the fields of its messages, each as one tuple.
    """
    names = (conversation.conversation_id, conversation.user_id, conversation.model, conversation.language)
    lists = chain.from_iterable(filter(None, logged["alternatives"] + logged["flags"]))
    return chain(names, *(logged[field] for field in TEXT_FIELDS), lists)


def _count_bytes(strings: Iterable[str | None]) -> int:
    try:
        return len("".join(filter(None, strings)).encode())
    except UnicodeEncodeError as error:
        raise ValueError("text: a lone surrogate character, which no encoding can write") from error


def _encode_extras(of_conversation: Mapping[str, Any], of_messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the extras of each message as JSON.

    Those of the conversation stand under a key of message 0.
    """
    if not (of_conversation or any(of_messages)):
        return ["{}"] * len(of_messages)
    if of_conversation:
        of_messages = [{**of_messages[0], "conversation": of_conversation}, *of_messages[1:]]
    try:
        return [_encode_json(extras) if extras else "{}" for extras in of_messages]
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"extras: cannot be kept as JSON: {error}") from error
