"""Conversations as rows of the table of messages; a conversation that the table cannot hold is refused."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from math import isfinite
from typing import Any

import polars as pl
import pyarrow as pa

from turnabout.core import schemas
from turnabout.sources.table.conversation import LoggedConversation, content_id, in_utc

#: Roles of the table of messages.
ROLES = frozenset({"system", "user", "assistant", "tool"})

_as_json = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False, default=str).encode


class MessageTable:
    """Rows of `schemas.MESSAGES` in the making; grows by whole conversations, in the order they come."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.columns: dict[str, list[Any]] = {name: [] for name in schemas.MESSAGES}
        self.n_bytes = 0
        """Of all texts so far, in UTF-8."""

    def __len__(self) -> int:
        """Messages so far."""
        return len(self.columns["text"])

    def add(self, conversation: LoggedConversation) -> None:
        """Take one conversation. Raises `ValueError`, and takes nothing, where the table cannot hold it."""
        if not conversation.messages:
            raise ValueError("messages: expected at least one, got none")
        n = len(conversation.messages)
        roles, texts, ats, *judgements, flags, models, writers, extras = zip(*conversation.messages, strict=True)
        ratings, reactions, edits, alternatives, preferences = judgements
        if not ROLES.issuperset(roles):
            raise ValueError(f"role: expected one of {sorted(ROLES)}, got {sorted(set(roles) - ROLES)}")
        lists = chain.from_iterable(filter(None, (*alternatives, *flags)))
        n_bytes = _n_bytes(chain(texts, reactions, edits, models, writers, conversation[1:5], lists))
        key = conversation.conversation_id or content_id(conversation.messages)
        keys = {"user": conversation.user_id or f"conversation:{key}"}
        rows: dict[str, Iterable[Any]] = {
            "conversation_id": repeat(key, n),
            "message_index": range(n),
            "role": roles,
            "text": texts,
            "at": [at and in_utc(at) for at in ats] if any(ats) else ats,
            "user_key": [writer or keys.get(role) for writer, role in zip(writers, roles, strict=True)],
            "source": repeat(self.source, n),
            "model": [model or conversation.model for model in models],
            "language": repeat(conversation.language, n),
            "rating": finite(ratings, "rating"),
            "reaction": reactions,
            "edited_text": edits,
            "alternatives": alternatives,
            "preferences": [scores and finite(scores, "preferences") for scores in preferences],
            "flags": flags,
            "extras": (told := _extras(conversation.extras, extras)),
        }
        self.n_bytes += n_bytes + _n_bytes(told)
        for name, values in rows.items():
            self.columns[name].extend(values)

    def frame(self) -> pl.DataFrame:
        """The rows so far."""
        times = pa.array(self.columns["at"], pa.timestamp("us", "UTC"))  # three times as fast as Polars takes datetimes
        return pl.DataFrame({**self.columns, "at": pl.Series(times)}, schema=schemas.MESSAGES)


def finite(numbers: Sequence[float | None], field: str) -> Sequence[float | None]:
    """The numbers. Raises `ValueError` where one is infinite, none or too large to be a float."""
    try:
        if not any(numbers) or all(number is None or isfinite(number) for number in numbers):
            return numbers
    except OverflowError:
        pass
    raise ValueError(f"{field}: expected a finite number, got NaN, infinity or one beyond 1e308")


def _n_bytes(strings: Iterable[str | None]) -> int:
    try:
        return len("".join(filter(None, strings)).encode())
    except UnicodeEncodeError as error:
        raise ValueError("text: a lone surrogate character, which no encoding can write") from error


def _extras(of_conversation: Mapping[str, Any], of_messages: Sequence[Mapping[str, Any]]) -> list[str]:
    if not (of_conversation or any(of_messages)):
        return ["{}"] * len(of_messages)
    if of_conversation:
        of_messages = [{**of_messages[0], "conversation": of_conversation}, *of_messages[1:]]
    try:
        return [_as_json(extras) if extras else "{}" for extras in of_messages]
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"extras: cannot be kept as JSON: {error}") from error
