"""Rows of a database, read and never written, streamed and sorted by its server; through SQLAlchemy."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnabout.errors import DataError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, FromClause, RowMapping, TextClause

    Place = FromClause | TextClause

#: Rows fetched from the server at once.
PAGE = 2_000

#: Seconds after which a PostgreSQL server that does not answer counts as down.
PATIENCE = 10


@contextmanager
def reading(address: str) -> Iterator["Connection"]:
    """A connection that can only read. Raises `DataError` where the database cannot be reached or a statement fails."""
    import sqlalchemy as sa

    url = _url(address)
    options = {"connect_timeout": PATIENCE} if url.get_backend_name() == "postgresql" else {}
    try:
        engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args=options)
        connection = engine.connect()
    except (ImportError, sa.exc.NoSuchModuleError) as error:
        raise DataError(
            f"ingest.sources: no driver for {url.drivername}: {_told(error)}; install it, or write the driver you have "
            "into the url, as in postgresql+psycopg2://"
        ) from error
    except sa.exc.SQLAlchemyError as error:
        raise DataError(
            f"ingest.sources: the database {url.database} at {url.host or 'this machine'} cannot be reached: "
            f"{_told(error)}; check that the server runs, the address, and the user and password in the environment"
        ) from error
    with connection:
        _forbid_writing(connection)
        try:
            yield connection
        except sa.exc.SQLAlchemyError as error:
            raise DataError(
                f"ingest.sources: the query of the database failed: {_told(error)}; mend query, table or columns; "
                f"its tables are {_tables(connection)}"
            ) from error


def place(query: str | None, table: str | None) -> "Place":
    """What stands after FROM for a query or a table, perhaps with its schema."""
    import sqlalchemy as sa

    if query is None:
        schema, _, name = str(table).rpartition(".")
        return sa.table(name, schema=schema or None).alias("log")
    literal = re.sub(r":(?=\w)", r"\:", query.strip().rstrip(";"))  # a colon starts no parameter
    return sa.text(f"(\n{literal}\n) AS log")


def column_names(connection: "Connection", place: "Place") -> list[str]:
    """The columns there are."""
    import sqlalchemy as sa

    return list(connection.execute(sa.select(sa.text("*")).select_from(place).limit(0)).keys())


def values(connection: "Connection", place: "Place", column: str) -> list[Any]:
    """The different values of a column that are not null."""
    import sqlalchemy as sa

    which: sa.ColumnClause[Any] = sa.column(column)
    return list(connection.scalars(sa.select(which).select_from(place).where(which.is_not(None)).distinct()))


def grouped_rows(
    connection: "Connection", place: "Place", key: str, order: list[str], began: str | None
) -> Iterator["RowMapping"]:
    """All rows, those of one key together, in the order of the columns given.

    Keys come in the order of the earliest `began` of their rows, where that column is given.
    """
    import sqlalchemy as sa

    first: list[Any] = [sa.func.min(sa.column(began)).over(partition_by=sa.column(key))] if began else []
    within: list[Any] = [sa.column(name) for name in (key, *order)]
    statement = sa.select(sa.text("*")).select_from(place).order_by(*first, *within)
    yield from connection.execute(statement, execution_options={"yield_per": PAGE}).mappings()


def _url(address: str) -> "URL":
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


def _tables(connection: "Connection") -> list[str]:
    """The tables there are, as far as the connection outlived the failure that they are told for."""
    import sqlalchemy as sa

    try:
        connection.rollback()
        return sorted(sa.inspect(connection).get_table_names())
    except sa.exc.SQLAlchemyError:
        return []


def _told(error: Exception) -> str:
    """The driver's own first line, without the statement."""
    return str(getattr(error, "orig", None) or error).partition("\n")[0].rstrip(". ")
