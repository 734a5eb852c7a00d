"""A table with one message a row, in CSV, Parquet or JSON lines.

Spreadsheets and data warehouses export such tables. A file

    conversation_id,role,text,at,user_id,rating,team
    7,customer,Is it open?,2024-05-01 08:00:00,ann,,shop
    7,agent,Until six.,2024-05-01 08:00:09,,1,shop

with `{format: messages, path: logs/*.csv}` becomes

    conversation_id  message_index  role       text         at                    user_key  rating  extras
    7                0              user       Is it open?  2024-05-01T08:00:00Z  ann       null    {"team": "shop"}
    7                1              assistant  Until six.   2024-05-01T08:00:09Z  null      1.0     {"team": "shop"}

- Fields, their columns (`columns`), roles (`roles`) and times are as in `sql.py`; only the columns `conversation_id`,
  `role` and `text` are required.
- Feedback and times in other columns, such as `thumbs` or `created_at`, are read as `feedback_keys.py` describes.
- The rows of a conversation must stand together. They are ordered by `message_index` where all rows have one, else they
  keep their order. Later rows of a conversation that has ended are another conversation with the same id, which
  `ingest` rejects: sort the file by conversation.
- A row that cannot be read is rejected with all of its conversation: half a conversation misleads.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, ClassVar, Literal

from pydantic import Field

from turnabout.sources.files import FileSource
from turnabout.sources.reading.records import Record
from turnabout.sources.table.conversation import LoggedConversation
from turnabout.sources.table.message_rows import (
    USUAL_ROLES,
    Columns,
    Role,
    build_conversation,
    map_fields,
    normalize_role,
)
from turnabout.sources.table.rejects import Reject, build_reject

REQUIRED = ("conversation_id", "role", "text")


class Messages(FileSource):
    """Rows of one message each, those of a conversation together."""

    format: Literal["messages"] = "messages"
    record_keys: ClassVar[frozenset[str]] = frozenset(Columns.model_fields)
    columns: Columns = Columns()
    roles: dict[str, Role] = Field(default_factory=dict)
    """The log's own names of roles, in addition to `USUAL_ROLES`; case does not count."""

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Return whether a record has the required columns.

        They must have their default names.
        """
        return isinstance(content, dict) and all(name in content for name in REQUIRED)

    def parse_records(self, records: Iterable[Record]) -> Iterator[LoggedConversation | Reject]:
        """Yield the conversations of adjacent rows with the same id, and rejects."""
        for key, group in groupby(records, key=self._find_key):
            if key is None:
                yield from super().parse_records(group)
            else:
                yield from self._combine_rows(list(group))

    def parse_record(self, content: Any) -> list[LoggedConversation]:
        """Return one row as a conversation of one message.

        Raises `ValueError` for a row without a conversation.
        """
        return [self._build_conversation([content])]

    def _find_key(self, record: Record) -> str | None:
        """Return the conversation id of a row; null for a record without one."""
        content = record.content
        key = content.get(self.columns.conversation_id) if isinstance(content, dict) else None
        return None if key is None else str(key)

    def _combine_rows(self, rows: list[Record]) -> Iterator[LoggedConversation | Reject]:
        try:
            conversation = self._build_conversation([row.content for row in rows])
        except ValueError as error:
            for row in rows:
                yield build_reject(self.format, row, str(error))
        else:
            yield conversation._replace(location=rows[0].location)

    def _build_conversation(self, rows: list[dict[str, Any]]) -> LoggedConversation:
        """Return the conversation of some rows.

        Raises `ValueError` naming the field or role that cannot be read.
        """
        fields = [self._map_fields(row) for row in rows]
        role_of = USUAL_ROLES | {name.lower(): role for name, role in self.roles.items()}
        for row in fields:
            if row["role"] is not None and normalize_role(row["role"]) not in role_of:
                raise ValueError(f"role: '{row['role']}' is not known; say what it means in roles: {{NAME: assistant}}")
        if any(row["message_index"] is None for row in fields):
            fields = [row | {"message_index": index} for index, row in enumerate(fields)]
        fields.sort(key=lambda row: row["message_index"])
        return build_conversation(str(fields[0]["conversation_id"]), fields, role_of)

    def _map_fields(self, row: Any) -> dict[str, Any]:
        """Return a row by field name, with its index as a number."""
        if not isinstance(row, dict):
            raise ValueError(f"record: expected columns, got {type(row).__name__}")
        column_of = {field: getattr(self.columns, field) for field in Columns.model_fields}
        absent = [column_of[field] for field in REQUIRED if column_of[field] not in row]
        if absent:
            raise ValueError(f"{absent[0]}: missing; name the right column under columns")
        if not isinstance(row[column_of["conversation_id"]], str | int):
            raise ValueError(f"{column_of['conversation_id']}: expected a text or a whole number")
        fields = map_fields(row, {field: column for field, column in column_of.items() if column in row})
        return fields | {"message_index": _parse_index(fields["message_index"])}


def _parse_index(index: Any) -> int | None:
    """Return an index as a number; cells of CSV are text."""
    try:
        return None if index is None else int(index)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("message_index: expected a whole number") from error
