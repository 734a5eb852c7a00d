"""Bounded batches of logged conversations and rejected records."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
import polars as pl

from turnabout.core import schemas
from turnabout.sources.reading.records import Record
from turnabout.sources.table.conversation import LoggedConversation
from turnabout.sources.table.message_table import MessageTable
from turnabout.sources.table.rejects import Reject, build_reject

#: A batch is complete once it holds this many messages and rejects, or this many bytes of text.
BATCH_MESSAGES = 20_000
BATCH_BYTES = 64 * 2**20

#: Returns what to add to the reason for a record, given its content and the format that could not read it.
SuggestFormat = Callable[[Any, str], str]


class Batch(NamedTuple):
    """A bounded part of a log.

    A conversation stands whole in one batch, its messages together and in order.
    """

    messages: pl.DataFrame
    """Rows of `schemas.MESSAGES`."""
    quarantine: pl.DataFrame
    """Rows of `schemas.QUARANTINE`: the rejected records."""
    content_ids: Collection[str] = frozenset()
    """Ids of conversations that are hashes of their content, because the log gave none."""
    unread_feedback: Mapping[str, int] = {}
    """Number of conversations by each known name of feedback in them that no column takes."""


def collect_batches(
    items: Iterable[LoggedConversation | Reject], source: str, suggest_format: SuggestFormat | None = None
) -> Iterator[Batch]:
    """Yield conversations and rejects as batches.

    There is at least one batch, which may be empty. Conversations that the table cannot hold are rejected.
    `suggest_format` adds a hint to the reasons for records that may be of another format; without it reasons stay as
    they are.
    """
    table, rejected, unread = MessageTable(source), list[dict[str, str]](), Counter[str]()
    for item in items:
        if isinstance(item, LoggedConversation):
            try:
                table.add(item)
                unread.update(item.unread_feedback)
            except ValueError as error:
                rejected.append(_quarantine_row(_reject_conversation(source, item, error), None))
        else:
            rejected.append(_quarantine_row(item, suggest_format))
        if len(table) + len(rejected) >= BATCH_MESSAGES or table.n_bytes >= BATCH_BYTES:
            yield _build_batch(table, rejected, unread)
            table, rejected, unread = MessageTable(source), [], Counter()
    yield _build_batch(table, rejected, unread)


def _build_batch(table: MessageTable, rejected: list[dict[str, str]], unread: Mapping[str, int]) -> Batch:
    return Batch(
        messages=table.to_frame(),
        quarantine=pl.DataFrame(rejected, schema=schemas.QUARANTINE),
        content_ids=table.content_ids,
        unread_feedback=unread,
    )


def _quarantine_row(reject: Reject, suggest_format: SuggestFormat | None) -> dict[str, str]:
    """Return the row of quarantine of a reject, with the hint at its format."""
    row = reject._asdict()
    content = row.pop("content")
    if suggest_format is not None and content is not msgspec.UNSET:
        row["reason"] += suggest_format(content, reject.source)
    return row


def _reject_conversation(source: str, conversation: LoggedConversation, error: ValueError) -> Reject:
    """Return the reject of a conversation that no table can hold."""
    location = conversation.location or conversation.conversation_id or source
    text = " ".join(message.text for message in conversation.messages)
    return build_reject(source, Record(location, None, None, text[:200]), str(error))
