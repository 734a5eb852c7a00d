"""What sources share whose records stand in files: each record becomes conversations or a row of quarantine."""

import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import polars as pl

from turnabout.core import schemas
from turnabout.sources.base import Batch, Piece, Source
from turnabout.sources.detection import hint
from turnabout.sources.reading.records import Record, log_files, records
from turnabout.sources.table.conversation import LoggedConversation
from turnabout.sources.table.message_table import MessageTable

#: A batch is handed on once it holds this many messages and rejects, or this many bytes of text.
BATCH_MESSAGES = 20_000
BATCH_BYTES = 64 * 2**20


class FileSource(Source):
    """A log format of files. A subclass says what one record means."""

    path: str
    """A file, a folder, or a glob such as `logs/*.jsonl`; `**` reaches into subfolders."""

    @abstractmethod
    def conversations(self, content: Any) -> Iterable[LoggedConversation]:
        """What one record holds. Raises `ValueError`, saying which field came how, for a record of another shape."""

    def pieces(self) -> list[Piece]:
        """The files by name: give later days later names."""
        return [Piece(path.name, path) for path in log_files(self.path)]

    def inputs(self) -> list[str]:
        """The path."""
        return [self.path]

    def batches(self, piece: Piece) -> Iterator[Batch]:
        """One file in batches of about `BATCH_MESSAGES`, or `BATCH_BYTES` where messages are long."""
        assert piece.path is not None
        return batched(self.judged(records(piece.path)), self.format)

    def judged(self, logged: Iterable[Record]) -> Iterator["LoggedConversation | dict[str, str]"]:
        """Conversations of the records of one piece, and a row of quarantine for each that is none, in order."""
        for record in logged:
            if record.fault is not None:
                yield rejection(self.format, record, record.fault)
                continue
            try:
                found = [told._replace(where=record.where) for told in self._read(record.content)]
            except ValueError as error:
                yield rejection(self.format, record, reason(error) + hint(record.content, type(self)))
            except RecursionError:
                yield rejection(self.format, record, "nested too deeply")
            else:
                yield from found

    def _read(self, content: Any) -> Iterable[LoggedConversation]:
        """What a record holds; where texts stand for lists or objects, as in CSV, what is written in them."""
        try:
            return list(self.conversations(content))
        except msgspec.ValidationError:
            unpacked = _unpacked(content)
            if unpacked == content:
                raise
            return self.conversations(unpacked)


def _unpacked(content: Any) -> Any:
    """A record in which texts that are a JSON list or object are that list or object."""
    if not isinstance(content, dict):
        return content
    return {name: _json(value) if isinstance(value, str) else value for name, value in content.items()}


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text) if text.lstrip()[:1] in ("[", "{") else text
    except (msgspec.DecodeError, UnicodeEncodeError):
        return text


def batched(judged: Iterable[LoggedConversation | dict[str, str]], source: str) -> Iterator[Batch]:
    """Conversations and rejects as batches; at least one, which may be empty. What no table can hold is rejected."""
    table, rejected = MessageTable(source), list[dict[str, str]]()
    for item in judged:
        if isinstance(item, LoggedConversation):
            try:
                table.add(item)
            except ValueError as error:
                rejected.append(_unfit(source, item, error))
        else:
            rejected.append(item)
        if len(table) + len(rejected) >= BATCH_MESSAGES or table.n_bytes >= BATCH_BYTES:
            yield _batch(table, rejected)
            table, rejected = MessageTable(source), []
    yield _batch(table, rejected)


def _batch(table: MessageTable, rejected: list[dict[str, str]]) -> Batch:
    return Batch(table.frame(), pl.DataFrame(rejected, schema=schemas.QUARANTINE))


def _unfit(source: str, conversation: LoggedConversation, error: ValueError) -> dict[str, str]:
    """The row of quarantine of a conversation that no table can hold."""
    where = conversation.where or conversation.conversation_id or source
    said = " ".join(message.text for message in conversation.messages)
    return rejection(source, Record(where, None, None, said[:200]), str(error))


def _writable(text: str) -> str:
    """The text with a question mark for each lone surrogate."""
    return text.encode("utf-8", "replace").decode()


def rejection(source: str, record: Record, why: str) -> dict[str, str]:
    """The row of quarantine of one record."""
    excerpt = record.excerpt or ("" if record.content is None else str(record.content)[:200])
    return {"source": source, "record": _writable(record.where), "reason": why, "excerpt": _writable(excerpt)}


def reason(error: Exception) -> str:
    """Why a record was rejected: field, what was expected, what came; without indexes, so that equal faults add up."""
    if not isinstance(error, msgspec.ValidationError):
        return str(error)
    fault, _, place = str(error).partition(" - at `$")
    field = re.sub(r"\[[^]]*\]", "", place.rstrip("`")).lstrip(".")
    return f"{field or 'record'}: {fault[0].lower()}{fault[1:]}"
