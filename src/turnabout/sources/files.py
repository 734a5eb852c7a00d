"""Record files: the common base of their sources.

Each record becomes conversations or a reject.
"""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from turnabout.sources.base import Piece, Source
from turnabout.sources.reading.records import Record, list_log_files, read_records
from turnabout.sources.table.conversation import LoggedConversation
from turnabout.sources.table.rejects import Reject, build_reject, describe_error


class FileSource(Source):
    """A log format of record files. A subclass defines what one record means."""

    path: str
    """A file, a folder, or a glob such as `logs/*.jsonl`; `**` includes subfolders."""

    @abstractmethod
    def parse_record(self, content: Any) -> Iterable[LoggedConversation]:
        """Return the conversations of one record.

        Raises `ValueError` for a record of another shape; the message names the field and what came.
        """

    def list_pieces(self) -> list[Piece]:
        """Return the files in order of name: give later days later names."""
        return [Piece(path.name, path) for path in list_log_files(self.path)]

    def list_inputs(self) -> list[str]:
        """Return the path."""
        return [self.path]

    def read_piece(self, piece: Piece) -> Iterator[LoggedConversation | Reject]:
        """Yield the conversations and rejects of one file."""
        assert piece.path is not None
        return self.parse_records(read_records(piece.path))

    def parse_records(self, records: Iterable[Record]) -> Iterator[LoggedConversation | Reject]:
        """Yield the conversations and rejects of records, in order."""
        for record in records:
            if record.error is not None:
                yield build_reject(self.format, record, record.error)
                continue
            try:
                parsed = self._parse_with_json_cells(record.content)
                conversations = [conversation._replace(location=record.location) for conversation in parsed]
            except ValueError as error:
                yield build_reject(self.format, record, describe_error(error), may_be_other_format=True)
            except RecursionError:
                yield build_reject(self.format, record, "nested too deeply")
            else:
                yield from conversations

    def _parse_with_json_cells(self, content: Any) -> Iterable[LoggedConversation]:
        """Return the conversations of a record.

        Where its fields have wrong types, JSON in its texts is decoded first. Cells of CSV hold lists and objects as
        JSON text.
        """
        try:
            return list(self.parse_record(content))
        except msgspec.ValidationError:
            decoded = _decode_json_cells(content)
            if decoded == content:
                raise
            return self.parse_record(decoded)


def _decode_json_cells(content: Any) -> Any:
    """Return a record with each text that is a JSON list or object decoded."""
    if not isinstance(content, dict):
        return content
    return {name: _decode_json(value) if isinstance(value, str) else value for name, value in content.items()}


def _decode_json(text: str) -> Any:
    try:
        return msgspec.json.decode(text) if text.lstrip()[:1] in ("[", "{") else text
    except (msgspec.DecodeError, UnicodeEncodeError):
        return text
