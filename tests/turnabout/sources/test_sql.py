import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from tests.postgres_server import PASSWORD, PostgresServer, find_binaries, postgres_server
from turnabout.core import schemas
from turnabout.errors import ConfigError, DataError
from turnabout.sources.database import databases
from turnabout.sources.sql import Sql
from turnabout.sources.table.batches import Batch

ROWS = [
    # chat, role, body, sent, user_id, rating, team
    ("7", "guest", "Is it open?", "2024-05-01 08:00:00", "ann", None, "shop"),
    ("7", "aide", "Until six.", "2024-05-01 08:00:09", "ann", 1, "shop"),
    ("3", "aide", "No: 50% off at 12:30.", "2024-05-02 09:00:00", None, None, None),
    ("3", "guest", "A sale?", "2024-05-02 09:00:00", "bob", None, None),
]
MAPPED: dict[str, Any] = {
    "columns": {"conversation_id": "chat", "text": "body", "at": "sent"},
    "roles": {"guest": "user", "Aide": "assistant"},
}


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = tmp_path / "chats.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE messages (chat, role, body, sent, user_id, rating, team)")
        connection.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?)", ROWS)
    return f"sqlite:///{path}"


def read_batch(**entry: Any) -> Batch:
    source = Sql(**entry)
    (piece,) = source.list_pieces()
    assert piece.path is None
    assert source.list_inputs() == []
    (batch,) = source.read_batches(piece)
    return batch


def expected_rows() -> list[dict[str, Any]]:
    nothing = dict.fromkeys(schemas.MESSAGES) | {"source": "sql", "extras": "{}"}
    return [
        nothing
        | {"conversation_id": "7", "message_index": 0, "role": "user", "text": "Is it open?", "user_key": "ann"}
        | {"at": datetime(2024, 5, 1, 8, tzinfo=UTC), "extras": '{"team": "shop"}'},
        nothing
        | {"conversation_id": "7", "message_index": 1, "role": "assistant", "text": "Until six.", "rating": 1.0}
        | {"at": datetime(2024, 5, 1, 8, 0, 9, tzinfo=UTC), "extras": '{"team": "shop"}'},
        nothing
        | {"conversation_id": "3", "message_index": 0, "role": "user", "text": "A sale?", "user_key": "bob"}
        | {"at": datetime(2024, 5, 2, 9, tzinfo=UTC)},
        nothing
        | {"conversation_id": "3", "message_index": 1, "role": "assistant", "text": "No: 50% off at 12:30."}
        | {"at": datetime(2024, 5, 2, 9, tzinfo=UTC)},
    ]


def test_rows_of_a_table_become_conversations_earliest_first(database: str) -> None:
    batch = read_batch(url=database, table="messages", **MAPPED)
    assert batch.messages.to_dicts() == expected_rows()
    assert batch.quarantine.is_empty()


def test_query_may_hold_colons_percent_signs_and_a_comment(database: str) -> None:
    query = "select * from messages where body like '%:30.' or body = 'A sale?' -- no :parameter\n;"
    batch = read_batch(url=database, query=query, **MAPPED)
    assert batch.messages["text"].to_list() == ["A sale?", "No: 50% off at 12:30."]


def test_messages_are_ordered_by_index_when_there_are_no_times(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("CREATE TABLE log (conversation_id, message_index, role, text)")
        rows = [(2, 1, "assistant", "d"), (1, 10, "bot", "b"), (2, 0, "user", "c"), (1, 9, "human", "a")]
        connection.executemany("INSERT INTO log VALUES (?, ?, ?, ?)", rows)
    messages = read_batch(url=f"sqlite:///{tmp_path / 'x.db'}", table="log").messages
    assert messages["text"].to_list() == ["a", "b", "c", "d"]
    assert messages["role"].to_list() == ["user", "assistant"] * 2
    assert messages["user_key"].to_list() == ["conversation:1", None, "conversation:2", None]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("sent", "noon", "at: expected Unix time or ISO 8601, between the years 1 and 9999 in UTC"),
        ("rating", "great", "rating: expected a number"),
        ("rating", float("inf"), "rating: expected a finite number, got NaN, infinity or one beyond 1e308"),
        ("role", None, "role: null"),
        ("body", b"\xff", "text: expected text, got bytes"),
        ("team", b"\xff" * 3, None),
    ],
)
def test_unreadable_conversation_is_rejected_whole(database: str, column: str, value: Any, reason: str | None) -> None:
    with sqlite3.connect(database.removeprefix("sqlite:///")) as connection:
        connection.execute(f"UPDATE messages SET {column} = ? WHERE body = 'Until six.'", (value,))
    batch = read_batch(url=database, table="messages", **MAPPED)
    assert batch.messages["conversation_id"].unique().to_list().count("7") == (reason is None)
    assert batch.quarantine["reason"].to_list() == ([reason] if reason else [])


def test_invalid_utf_8_becomes_replacement_characters(database: str) -> None:
    with sqlite3.connect(database.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE messages SET body = CAST(x'6869ff' AS TEXT) WHERE body = 'A sale?'")
    assert "hi\ufffd" in read_batch(url=database, table="messages", **MAPPED).messages["text"].to_list()


def test_rows_without_a_conversation_are_rejected_one_by_one(database: str) -> None:
    with sqlite3.connect(database.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE messages SET chat = NULL WHERE chat = '7'")
    batch = read_batch(url=database, table="messages", **MAPPED)
    assert batch.quarantine["reason"].to_list() == ["conversation_id: null"] * 2
    assert sorted(batch.quarantine["excerpt"]) == ["Is it open?", "Until six."]


def test_alternatives_may_be_a_json_list(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("CREATE TABLE log (conversation_id, at, role, text, alternatives, edited_text, reaction)")
        connection.execute("INSERT INTO log VALUES ('c', 1714550400, 'user', 'hi', NULL, NULL, NULL)")
        connection.execute("INSERT INTO log VALUES ('c', 1714550401, 'ai', NULL, '[\"yo\"]', 'hello', '👍')")
    reply = read_batch(url=f"sqlite:///{tmp_path / 'x.db'}", table="log").messages.row(1, named=True)
    assert reply["at"] == datetime(2024, 5, 1, 8, 0, 1, tzinfo=UTC)
    assert (reply["text"], reply["alternatives"], reply["edited_text"], reply["reaction"]) == (
        "",
        ["yo"],
        "hello",
        "👍",
    )


def test_numbers_in_text_columns_become_texts(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("CREATE TABLE log (conversation_id, at, role, text, reaction, edited_text, model, language)")
        connection.execute("INSERT INTO log VALUES (1, 0, 'ai', 2, 3, 4.5, 6, 7)")
    (reply,) = read_batch(url=f"sqlite:///{tmp_path / 'x.db'}", table="log").messages.to_dicts()
    fields = ("conversation_id", "text", "reaction", "edited_text", "model", "language")
    assert [reply[field] for field in fields] == ["1", "2", "3", "4.5", "6", "7"]


@pytest.mark.parametrize("written", ["[1]", "[broken", "plain", "[" * 100_000])
def test_alternatives_that_are_no_list_of_texts_are_rejected(tmp_path: Path, written: str) -> None:
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("CREATE TABLE log (conversation_id, at, role, text, alternatives)")
        connection.execute("INSERT INTO log VALUES ('c', 0, 'ai', 'yo', ?)", (written,))
    (rejected,) = read_batch(url=f"sqlite:///{tmp_path / 'x.db'}", table="log").quarantine.to_dicts()
    assert (rejected["record"], rejected["reason"]) == ("log:c", "alternatives: expected a list of texts")


def test_error_of_unknown_roles_lists_all_roles(database: str) -> None:
    entry = MAPPED | {"roles": {"guest": "user"}}
    with pytest.raises(DataError, match=r"roles \['aide'\] of messages .*\['aide', 'guest'\].*roles: {aide: ass"):
        read_batch(url=database, table="messages", **entry)


def test_error_of_a_wrong_column_lists_the_columns(database: str) -> None:
    entry = MAPPED | {"columns": MAPPED["columns"] | {"user_id": "person"}}
    with pytest.raises(DataError, match=r"no column {'user_id': 'person'} .*\['chat', 'role', 'body', 'sent'"):
        read_batch(url=database, table="messages", **entry)
    with pytest.raises(DataError, match=r"no column {'message_index': 'message_index'}.*index or at is needed"):
        read_batch(
            url=database,
            query="select chat, role, body from messages",
            columns={"conversation_id": "chat", "text": "body"},
        )


def test_error_of_a_wrong_table_lists_the_tables(database: str) -> None:
    with pytest.raises(DataError, match=r"no such table: chats; correct .* its tables are \['messages'\]"):
        read_batch(url=database, table="chats", **MAPPED)


def test_missing_sqlite_file_raises_and_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no SQLite file"):
        read_batch(url=f"sqlite:///{tmp_path / 'none.db'}", table="messages")
    assert list(tmp_path.iterdir()) == []


def test_connection_cannot_write(database: str) -> None:
    with (
        pytest.raises(DataError, match="attempt to write a readonly database"),
        databases.open_read_only(database) as connection,
    ):
        connection.execute(sa.text("DELETE FROM messages"))


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"url": "sqlite:///x.db"}, "give either query or table"),
        ({"url": "sqlite:///x.db", "table": "t", "query": "select 1"}, "give either query or table"),
        ({"url": "postgresql://ann:hunter2@host/db", "table": "t"}, "a password is written out in the address"),
        ({"url": "postgresql://host/db?password=hunter2", "table": "t"}, "a password is written out in the address"),
    ],
)
def test_wrong_settings_are_refused(entry: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Sql(**entry)
    (fault,) = refused.value.errors()
    assert reason in fault["msg"]
    assert "hunter2" not in fault["msg"]


def test_invalid_address_and_missing_driver_raise_errors() -> None:
    with pytest.raises(DataError, match="url is no address of a database"):
        read_batch(url="chats.db", table="t")
    with pytest.raises(DataError, match=r"no driver for mysql.*install it"):
        read_batch(url="mysql://host/db", table="t")


def test_error_names_the_unset_variable() -> None:
    with pytest.raises(ConfigError, match=r"\$TURNABOUT_NOBODY@host/db names \['TURNABOUT_NOBODY'\]"):
        read_batch(url="postgresql://$TURNABOUT_NOBODY@host/db", table="t")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    if find_binaries() is None:
        pytest.skip("no PostgreSQL server is installed; apt-get install postgresql")
    with postgres_server() as started:
        with _connected(started) as connection:
            connection.execute(
                sa.text(
                    "CREATE TABLE messages (chat int, role text, body text, sent timestamptz, user_id text, "
                    "rating numeric, team text, alternatives text[])"
                )
            )
            into = sa.text("INSERT INTO messages VALUES (:chat, :role, :body, :sent, :user_id, :rating, :team)")
            names = ("chat", "role", "body", "sent", "user_id", "rating", "team")
            connection.execute(sa.text("SET TIME ZONE 'UTC'"))
            connection.execute(into, [dict(zip(names, (int(row[0]), *row[1:]), strict=True)) for row in ROWS])
        yield started


@pytest.fixture
def address(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("CHATS_USER", "ann")
    monkeypatch.setenv("CHATS_PASSWORD", PASSWORD)
    return f"postgresql://$CHATS_USER:${{CHATS_PASSWORD}}@127.0.0.1:{server.port}/postgres"


def _connected(server: PostgresServer) -> Any:
    url = sa.URL.create("postgresql+psycopg", "ann", PASSWORD, "127.0.0.1", server.port, "postgres")
    return sa.create_engine(url, poolclass=sa.NullPool).begin()


def test_postgresql_gives_the_same_rows_as_sqlite(address: str) -> None:
    for what in ({"table": "public.messages"}, {"query": "select *, 'x'::text like '%x' as b from messages;"}):
        messages = read_batch(url=address, **what, **MAPPED).messages
        assert (
            messages.drop("extras").to_dicts()
            == pl.DataFrame(expected_rows(), schemas.MESSAGES).drop("extras").to_dicts()
        )


def test_postgresql_arrays_are_read_and_other_types_kept_as_text(address: str) -> None:
    query = (
        "select chat, role, body, sent, array['a','b'] as alternatives, 1.5::numeric as cost, "
        "'{\"k\": [1]}'::jsonb as meta, date '2024-05-01' as day from messages where chat = 7 and role = 'aide'"
    )
    messages = read_batch(url=address, query=query, **MAPPED).messages
    assert messages["alternatives"].to_list() == [["a", "b"]]
    assert messages["extras"].to_list() == ['{"cost": "1.5", "day": "2024-05-01", "meta": {"k": [1]}}']


def test_postgresql_connection_is_read_only(address: str, server: PostgresServer) -> None:
    with _connected(server) as connection:
        connection.execute(sa.text("CREATE SEQUENCE IF NOT EXISTS calls"))
    with pytest.raises(DataError, match=r"cannot execute nextval\(\) in a read-only transaction"):
        read_batch(url=address, query="select *, nextval('calls') from messages", **MAPPED)


def test_broken_connection_raises_an_error(address: str) -> None:
    with pytest.raises(DataError, match="the query of the database failed: terminating connection"):
        read_batch(url=address, query="select *, pg_terminate_backend(pg_backend_pid()) from messages", **MAPPED)


def test_postgresql_streams_through_a_server_side_cursor(address: str) -> None:
    query = "select *, (select count(*) from pg_cursors) as n_cursors from messages"
    assert '"n_cursors": 1' in read_batch(url=address, query=query, **MAPPED).messages["extras"][0]


@pytest.mark.parametrize("wrong", ["password", "port", "table", "column", "whole"])
def test_no_error_of_postgresql_shows_a_password(
    address: str, wrong: str, monkeypatch: pytest.MonkeyPatch, server: PostgresServer
) -> None:
    entry: dict[str, Any] = {"url": address, "table": "messages", **MAPPED}
    secret, says = PASSWORD, "cannot be reached.*check that the server runs"
    if wrong == "password":
        secret = "tru/lala"
        monkeypatch.setenv("CHATS_PASSWORD", secret)
    elif wrong == "port":
        entry["url"] = address.replace(str(server.port), "1")
    elif wrong == "table":
        entry["table"], says = PASSWORD, r"relation .* does not exist.*its tables are \['messages'\]"
    elif wrong == "column":
        entry["columns"], says = {"conversation_id": PASSWORD}, "has no column"
    else:
        secret = "tru%2Flala"
        monkeypatch.setenv("CHATS_URL", f"postgresql://{secret}:{secret}@127.0.0.1:{server.port}/postgres")
        entry["url"] = "$CHATS_URL"
    with pytest.raises(DataError, match=says) as raised:
        read_batch(**entry)
    for hidden in (secret, secret.replace("%2F", "/"), '"ann"'):
        assert hidden not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
