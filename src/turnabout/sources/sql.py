"""A table or query of a database, one message a row: PostgreSQL, SQLite, or any other that SQLAlchemy has a driver for.

    sources:
      - format: sql
        url: postgresql://$PGUSER:$PGPASSWORD@db.example.org/support
        query: select * from chat_messages where channel = 'web'
        columns: {conversation_id: chat, text: body, at: sent}
        roles: {guest: user, helper: assistant}

makes of the rows

    chat | role   | body          | sent                | user_id | rating | team
    -----+--------+---------------+---------------------+---------+--------+------
    7    | guest  | Is it open?   | 2024-05-01 08:00:00 | ann     |        | shop
    7    | helper | Until six.    | 2024-05-01 08:00:09 |         | 1      | shop

the conversation

    conversation_id  message_index  role       text         at                    user_key  rating  extras
    7                0              user       Is it open?  2024-05-01T08:00:00Z  ann       null    {"team": "shop"}
    7                1              assistant  Until six.   2024-05-01T08:00:09Z  null      1.0     {"team": "shop"}

- Columns are taken by the names of `Columns` where `columns` does not name others. There must be `conversation_id`,
  `role`, `text` and, for the order, `message_index` or `at`; messages of one instant stand in the order user,
  assistant. A column that is not named goes into `extras`.
- Rows come sorted by the database and through a cursor of the server, so that memory holds one conversation at a time
  however long the table is. The earliest conversation comes first where there is `at`.
- `at` is a timestamp, ISO 8601 text or Unix time, UTC where it names no zone; `rating` a number or a boolean (1, -1);
  `alternatives` an array or a JSON list. A null text is an empty one.
- Nothing is written: the transaction is read-only. A conversation that cannot be read is rejected whole.
- The address names variables of the environment for its credentials and is logged as it is written here.
The database is read anew at every run.
"""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from turnabout.errors import DataError
from turnabout.sources.base import Batch, Piece, Source
from turnabout.sources.database import databases
from turnabout.sources.database.addresses import Address, expanded, hiding
from turnabout.sources.files import batched
from turnabout.sources.table.conversation import LoggedConversation
from turnabout.sources.table.message_rows import USUAL_ROLES, Columns, Role, conversation, fields_of, order, plain_role


class Sql(Source):
    """Messages of one table or query."""

    format: Literal["sql"] = "sql"
    is_live: ClassVar[bool] = True
    url: Address
    """Address of the database as SQLAlchemy writes it, such as `sqlite:///chats.db`."""
    query: str | None = None
    """A `select` of the messages; or else `table`."""
    table: str | None = None
    """Name of a table or view, perhaps with its schema before a dot."""
    columns: Columns = Columns()
    roles: dict[str, Role] = Field(default_factory=dict)
    """What the log's own names of roles mean, beside the usual ones (`USUAL_ROLES`); case does not count."""

    @model_validator(mode="after")
    def _reads_one_thing(self) -> "Sql":
        if (self.query is None) == (self.table is None):
            raise ValueError("give either query or table")
        return self

    def pieces(self) -> list[Piece]:
        """All of it, as one piece."""
        return [Piece(self.table or "query", None)]

    def batches(self, piece: Piece) -> Iterator[Batch]:
        """Its conversations. Raises `DataError` where the database, a column or a role is not as the entry says."""
        return batched(self._judged(), self.format)

    def _judged(self) -> Iterator[LoggedConversation | dict[str, str]]:
        with hiding(self.url), databases.reading(expanded(self.url)) as connection:
            place = databases.place(self.query, self.table)
            column_of = self._column_of(databases.column_names(connection, place))
            roles = self._role_of(databases.values(connection, place, column_of["role"]))
            key, began = column_of["conversation_id"], column_of.get("at")
            rows = databases.grouped_rows(connection, place, key, order(column_of), began)
            messages = (fields_of(row, column_of) for row in rows)
            for conversation_id, group in groupby(messages, key=lambda fields: fields["conversation_id"]):
                if conversation_id is None:
                    yield from (self._rejection(fields, "conversation_id: null") for fields in group)
                    continue
                fields = list(group)
                try:
                    yield conversation(str(conversation_id), fields, roles)._replace(where=self._where(fields[0]))
                except ValueError as error:
                    yield self._rejection(fields[0], str(error))

    def _column_of(self, there: list[str]) -> dict[str, str]:
        """The column of each field there is."""
        named = {field: getattr(self.columns, field) for field in Columns.model_fields}
        required = {"conversation_id", "role", "text"} | self.columns.model_fields_set
        absent = {field: column for field, column in named.items() if field in required and column not in there}
        if "message_index" not in absent and not {named["message_index"], named["at"]} & set(there):
            absent["message_index"] = named["message_index"]
        if absent:
            raise DataError(
                f"ingest.sources: {self.table or 'the query'} has no column {absent} (field: column), its columns are "
                f"{there}; name the right ones under columns (message_index or at is needed for the order)"
            )
        return {field: column for field, column in named.items() if column in there}

    def _role_of(self, there: list[Any]) -> dict[str, str]:
        known = USUAL_ROLES | {name.lower(): role for name, role in self.roles.items()}
        unknown = sorted({str(name) for name in there if plain_role(name) not in known})
        if unknown:
            raise DataError(
                f"ingest.sources: the roles {unknown} of {self.table or 'the query'} are not known; it has the roles "
                f"{sorted(map(str, there))}; say what each means, as in roles: {{{unknown[0]}: assistant}}"
            )
        return known

    def _rejection(self, fields: Mapping[str, Any], why: str) -> dict[str, str]:
        excerpt = str(fields["text"] or "")[:200]
        return {"source": self.format, "record": self._where(fields), "reason": why, "excerpt": excerpt}

    def _where(self, fields: Mapping[str, Any]) -> str:
        return f"{self.table or 'query'}:{fields['conversation_id']}"
