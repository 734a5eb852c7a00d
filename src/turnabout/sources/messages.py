"""A table of messages, one a row, in CSV, Parquet or JSON lines: what a spreadsheet or a data warehouse exports.

A file

    conversation_id,role,text,at,user_id,rating,team
    7,customer,Is it open?,2024-05-01 08:00:00,ann,,shop
    7,agent,Until six.,2024-05-01 08:00:09,,1,shop

with `{format: messages, path: logs/*.csv}` becomes

    conversation_id  message_index  role       text         at                    user_key  rating  extras
    7                0              user       Is it open?  2024-05-01T08:00:00Z  ann       null    {"team": "shop"}
    7                1              assistant  Until six.   2024-05-01T08:00:09Z  null      1.0     {"team": "shop"}

- Fields, their columns (`columns`), roles (`roles`) and times are as in `sql.py`; of the columns only
  `conversation_id`, `role` and `text` must be there.
- The rows of a conversation stand together. Within it they are ordered by `message_index` where all rows have one,
  else they stay as they come. Rows of a conversation that come back later are another conversation with the same id,
  which `ingest` rejects: sort the file by conversation.
- A row that cannot be read is rejected with all of its conversation: half a talk misleads.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Literal

from pydantic import Field

from turnabout.sources.files import FileSource, rejection
from turnabout.sources.reading.records import Record
from turnabout.sources.table.conversation import LoggedConversation
from turnabout.sources.table.message_rows import USUAL_ROLES, Columns, Role, conversation, fields_of, plain_role

REQUIRED = ("conversation_id", "role", "text")


class Messages(FileSource):
    """Rows of one message each, those of a conversation together."""

    format: Literal["messages"] = "messages"
    columns: Columns = Columns()
    roles: dict[str, Role] = Field(default_factory=dict)
    """What the log's own names of roles mean, beside the usual ones (`USUAL_ROLES`); case does not count."""

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Whether it has the columns that must be there, by their usual names."""
        return isinstance(content, dict) and all(name in content for name in REQUIRED)

    def judged(self, logged: Iterable[Record]) -> Iterator[LoggedConversation | dict[str, str]]:
        """The rows of each conversation together."""
        for key, group in groupby(logged, key=self._key):
            if key is None:
                yield from super().judged(group)
            else:
                yield from self._assembled(list(group))

    def conversations(self, content: Any) -> list[LoggedConversation]:
        """A row alone, as a conversation of one message; a row without a conversation is an error."""
        return [self._conversation([content])]

    def _key(self, record: Record) -> str | None:
        """The conversation of a row; null for a record that is no row of one."""
        content = record.content
        key = content.get(self.columns.conversation_id) if isinstance(content, dict) else None
        return None if key is None else str(key)

    def _assembled(self, rows: list[Record]) -> Iterator[LoggedConversation | dict[str, str]]:
        try:
            found = self._conversation([row.content for row in rows])
        except ValueError as error:
            yield from (rejection(self.format, row, str(error)) for row in rows)
        else:
            yield found._replace(where=rows[0].where)

    def _conversation(self, rows: list[dict[str, Any]]) -> LoggedConversation:
        """Raises `ValueError` naming the field or role that cannot be read."""
        fields = [self._fields(row) for row in rows]
        known = USUAL_ROLES | {name.lower(): role for name, role in self.roles.items()}
        for row in fields:
            if row["role"] is not None and plain_role(row["role"]) not in known:
                raise ValueError(f"role: '{row['role']}' is not known; say what it means in roles: {{NAME: assistant}}")
        if any(row["message_index"] is None for row in fields):
            fields = [row | {"message_index": index} for index, row in enumerate(fields)]
        fields.sort(key=lambda row: row["message_index"])
        return conversation(str(fields[0]["conversation_id"]), fields, known)

    def _fields(self, row: Any) -> dict[str, Any]:
        """A row by field, its index as a number."""
        if not isinstance(row, dict):
            raise ValueError(f"record: expected columns, got {type(row).__name__}")
        named = {field: getattr(self.columns, field) for field in Columns.model_fields}
        absent = [named[field] for field in REQUIRED if named[field] not in row]
        if absent:
            raise ValueError(f"{absent[0]}: missing; name the right column under columns")
        if not isinstance(row[named["conversation_id"]], str | int):
            raise ValueError(f"{named['conversation_id']}: expected a text or a whole number")
        fields = fields_of(row, {field: column for field, column in named.items() if column in row})
        return fields | {"message_index": _whole(fields["message_index"])}


def _whole(index: Any) -> int | None:
    """An index as a number; a cell of CSV is text."""
    try:
        return None if index is None else int(index)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("message_index: expected a whole number") from error
