"""Rows of a database, streamed and sorted by its server, through SQLAlchemy.

Connections are read-only: nothing is ever written.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnabout.errors import DataError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, FromClause, RowMapping, TextClause

    Relation = FromClause | TextClause

#: Rows fetched from the server at once.
PAGE = 2_000

#: Seconds after which a PostgreSQL server that does not answer counts as down.
CONNECT_TIMEOUT = 10


@contextmanager
def open_read_only(address: str) -> Iterator["Connection"]:
    """Open a connection that can only read.

    Raises `DataError` where the database cannot be reached or a statement of the block fails.
    """
    import sqlalchemy as sa

    url = _parse_url(address)
    options = {"connect_timeout": CONNECT_TIMEOUT} if url.get_backend_name() == "postgresql" else {}
    try:
        engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args=options)
        connection = engine.connect()
    except (ImportError, sa.exc.NoSuchModuleError) as error:
        raise DataError(
            f"ingest.sources: no driver for {url.drivername}: {_first_line(error)}; install it, or name the driver you "
            "have in the url, as in postgresql+psycopg2://"
        ) from error
    except sa.exc.SQLAlchemyError as error:
        raise DataError(
            f"ingest.sources: the database {url.database} at {url.host or 'this machine'} cannot be reached: "
            f"{_first_line(error)}; check that the server runs, the address, and the user and password in the "
            "environment"
        ) from error
    with connection:
        _forbid_writing(connection)
        try:
            yield connection
        except sa.exc.SQLAlchemyError as error:
            raise DataError(
                f"ingest.sources: the query of the database failed: {_first_line(error)}; correct query, table or "
                f"columns; its tables are {_list_tables(connection)}"
            ) from error


def build_relation(query: str | None, table: str | None) -> "Relation":
    """Return what stands after FROM for a query or a table.

    A table may be qualified by its schema.
    """
    import sqlalchemy as sa

    if query is None:
        schema, _, name = str(table).rpartition(".")
        return sa.table(name, schema=schema or None).alias("log")
    literal = re.sub(r":(?=\w)", r"\:", query.strip().rstrip(";"))  # a colon starts no parameter
    return sa.text(f"(\n{literal}\n) AS log")


def list_columns(connection: "Connection", relation: "Relation") -> list[str]:
    """Return the names of the columns."""
    import sqlalchemy as sa

    return list(connection.execute(sa.select(sa.text("*")).select_from(relation).limit(0)).keys())


def list_distinct_values(connection: "Connection", relation: "Relation", column: str) -> list[Any]:
    """Return the distinct values of a column, without null."""
    import sqlalchemy as sa

    clause: sa.ColumnClause[Any] = sa.column(column)
    return list(connection.scalars(sa.select(clause).select_from(relation).where(clause.is_not(None)).distinct()))


def stream_groups(
    connection: "Connection", relation: "Relation", key: str, *, order: list[str], start_time: str | None
) -> Iterator["RowMapping"]:
    """Yield all rows, grouped by the column `key`.

    Within a group rows follow the columns `order`. Where the column `start_time` is given, keys come in the order of
    the least `start_time` of their rows.
    """
    import sqlalchemy as sa

    start: list[Any] = [sa.func.min(sa.column(start_time)).over(partition_by=sa.column(key))] if start_time else []
    within_key: list[Any] = [sa.column(name) for name in (key, *order)]
    statement = sa.select(sa.text("*")).select_from(relation).order_by(*start, *within_key)
    yield from connection.execute(statement, execution_options={"yield_per": PAGE}).mappings()


def _parse_url(address: str) -> "URL":
    import sqlalchemy as sa

    try:
        url = sa.make_url(address)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise DataError(
            "ingest.sources: url is no address of a database; write it like postgresql://$PGUSER:$PGPASSWORD@host/name "
            "or sqlite:///file.db"
        ) from error
    if url.drivername in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise DataError(f"ingest.sources: there is no SQLite file {url.database}; check the url")
    return url


def _forbid_writing(connection: "Connection") -> None:
    if connection.dialect.name == "postgresql":
        connection.execution_options(postgresql_readonly=True)
    elif connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        driver.text_factory = lambda text: text.decode("utf-8", "replace")
        connection.exec_driver_sql("PRAGMA query_only = ON")


def _list_tables(connection: "Connection") -> list[str]:
    """Return the tables of the database.

    The list is empty where the connection broke with the statement before.
    """
    import sqlalchemy as sa

    try:
        connection.rollback()
        return sorted(sa.inspect(connection).get_table_names())
    except sa.exc.SQLAlchemyError:
        return []


def _first_line(error: Exception) -> str:
    """Return the first line of the driver's own message, without the statement."""
    return str(getattr(error, "orig", None) or error).partition("\n")[0].rstrip(". ")
