"""A table or query of a database, with one message a row.

The database is PostgreSQL, SQLite, or any other that SQLAlchemy has a driver for.

    sources:
      - format: sql
        url: postgresql://$PGUSER:$PGPASSWORD@db.example.org/support
        query: select * from chat_messages where channel = 'web'
        columns: {conversation_id: chat, text: body, at: sent}
        roles: {guest: user, helper: assistant}

turns the rows

    chat | role   | body          | sent                | user_id | rating | team
    -----+--------+---------------+---------------------+---------+--------+------
    7    | guest  | Is it open?   | 2024-05-01 08:00:00 | ann     |        | shop
    7    | helper | Until six.    | 2024-05-01 08:00:09 |         | 1      | shop

into the conversation

    conversation_id  message_index  role       text         at                    user_key  rating  extras
    7                0              user       Is it open?  2024-05-01T08:00:00Z  ann       null    {"team": "shop"}
    7                1              assistant  Until six.   2024-05-01T08:00:09Z  null      1.0     {"team": "shop"}

- Columns have the names of `Columns` unless `columns` gives other names. Required are `conversation_id`, `role`, `text`
  and, for the order, `message_index` or `at`; messages of the same time stand in the order user, assistant. A column
  that is no field goes into `extras`.
- Rows are sorted by the database and come through a cursor of the server, so memory holds one conversation at a time,
  however long the table is. The earliest conversation comes first where `at` exists.
- `at` is a timestamp, ISO 8601 text or Unix time, UTC where it names no zone; `rating` is a number or a boolean (1,
  -1); `alternatives` is an array or a JSON list. A null text is read as an empty text.
- Feedback and times in other columns, such as `thumbs` or `created_at`, are read as `feedback_keys.py` describes.
- Nothing is written: the transaction is read-only. A conversation that cannot be read is rejected whole.
- The address names variables of the environment for its credentials and is logged as it is written here.
The database is read again at every run.
"""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from turnabout.errors import DataError
from turnabout.sources.base import Piece, Source
from turnabout.sources.database import databases
from turnabout.sources.database.addresses import Address, expand_variables, redact_errors
from turnabout.sources.table.conversation import LoggedConversation
from turnabout.sources.table.message_rows import (
    USUAL_ROLES,
    Columns,
    Role,
    build_conversation,
    map_fields,
    normalize_role,
    select_order_columns,
)
from turnabout.sources.table.rejects import Reject


class Sql(Source):
    """Messages of one table or query."""

    format: Literal["sql"] = "sql"
    is_live: ClassVar[bool] = True
    url: Address
    """Address of the database as SQLAlchemy writes it, such as `sqlite:///chats.db`."""
    query: str | None = None
    """A `select` of the messages. Give either this or `table`."""
    table: str | None = None
    """Name of a table or view, optionally with its schema before a dot."""
    columns: Columns = Columns()
    roles: dict[str, Role] = Field(default_factory=dict)
    """The log's own names of roles, in addition to `USUAL_ROLES`; case does not count."""

    @model_validator(mode="after")
    def _check_query_or_table(self) -> "Sql":
        if (self.query is None) == (self.table is None):
            raise ValueError("give either query or table")
        return self

    def list_pieces(self) -> list[Piece]:
        """Return the whole table or query as one piece."""
        return [Piece(self.table or "query", None)]

    def read_piece(self, piece: Piece) -> Iterator[LoggedConversation | Reject]:
        """Yield the conversations and rejects of the table or query.

        Raises `DataError` where the database, a column or a role is not as the settings say.
        """
        with redact_errors(self.url), databases.open_read_only(expand_variables(self.url)) as connection:
            relation = databases.build_relation(self.query, self.table)
            column_of = self._match_columns(databases.list_columns(connection, relation))
            role_of = self._match_roles(databases.list_distinct_values(connection, relation, column_of["role"]))
            rows = databases.stream_groups(
                connection,
                relation,
                column_of["conversation_id"],
                order=select_order_columns(column_of),
                start_time=column_of.get("at"),
            )
            messages = (map_fields(row, column_of) for row in rows)
            for conversation_id, group in groupby(messages, key=lambda fields: fields["conversation_id"]):
                if conversation_id is None:
                    yield from (self._build_reject(fields, "conversation_id: null") for fields in group)
                    continue
                fields = list(group)
                try:
                    conversation = build_conversation(str(conversation_id), fields, role_of)
                except ValueError as error:
                    yield self._build_reject(fields[0], str(error))
                else:
                    yield conversation._replace(location=self._describe_location(fields[0]))

    def _match_columns(self, existing: list[str]) -> dict[str, str]:
        """Return the column of each field that has one.

        Raises `DataError` where a required column, or one that the settings name, does not exist.
        """
        column_of = {field: getattr(self.columns, field) for field in Columns.model_fields}
        required = {"conversation_id", "role", "text"} | self.columns.model_fields_set
        absent = {field: column for field, column in column_of.items() if field in required and column not in existing}
        if "message_index" not in absent and not {column_of["message_index"], column_of["at"]} & set(existing):
            absent["message_index"] = column_of["message_index"]
        if absent:
            raise DataError(
                f"ingest.sources: {self.table or 'the query'} has no column {absent} (field: column), its columns are "
                f"{existing}; name the right ones under columns (message_index or at is needed for the order)"
            )
        return {field: column for field, column in column_of.items() if column in existing}

    def _match_roles(self, existing: list[Any]) -> dict[str, str]:
        """Return the role for each known name of one.

        Raises `DataError` where the log has roles of other names.
        """
        role_of = USUAL_ROLES | {name.lower(): role for name, role in self.roles.items()}
        unknown = sorted({str(name) for name in existing if normalize_role(name) not in role_of})
        if unknown:
            raise DataError(
                f"ingest.sources: the roles {unknown} of {self.table or 'the query'} are not known; it has the roles "
                f"{sorted(map(str, existing))}; say what each means, as in roles: {{{unknown[0]}: assistant}}"
            )
        return role_of

    def _build_reject(self, fields: Mapping[str, Any], reason: str) -> Reject:
        return Reject(
            source=self.format,
            record=self._describe_location(fields),
            reason=reason,
            excerpt=str(fields["text"] or "")[:200],
        )

    def _describe_location(self, fields: Mapping[str, Any]) -> str:
        return f"{self.table or 'query'}:{fields['conversation_id']}"
