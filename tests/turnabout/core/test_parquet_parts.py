"""Tables in parts: whole conversations in a row group, and files that depend on the rows alone."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from turnabout.core import parquet_parts, schemas
from turnabout.core.io import list_batches, read_batch, read_batches, read_frame
from turnabout.core.parquet_parts import IncrementalTable, hash_row_groups

Build = Callable[..., pl.DataFrame]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row groups of four rows, and a part for each."""
    monkeypatch.setattr(parquet_parts, "GROUP_WEIGHT", 4)
    monkeypatch.setattr(parquet_parts, "PART_BYTES", 1)


@pytest.fixture
def log(messages: Build) -> pl.DataFrame:
    """Five conversations of 3, 2, 1, 5 and 1 messages."""
    lengths = {"e": 3, "d": 2, "c": 1, "b": 5, "a": 1}
    return pl.concat([messages(name, *["hi"] * n) for name, n in lengths.items()])


def write(path: Path, *batches: pl.DataFrame, old: Path | None = None, n_rows: int = 0) -> dict[str, bytes]:
    """Write the batches, after `n_rows` of an old table; the files' bytes by name."""
    table = IncrementalTable(path, schemas.MESSAGES)
    if old is not None:
        table.continue_from(old, n_rows)
    for batch in batches:
        table.append(batch)
    table.close()
    return {file.name: file.read_bytes() for file in sorted(path.iterdir())}


def test_a_row_group_ends_with_the_conversation_that_fills_it(tmp_path: Path, log: pl.DataFrame) -> None:
    write(tmp_path / "t", log)
    assert [batch.height for batch in read_batches(tmp_path / "t", schemas.MESSAGES)] == [5, 6, 1]
    assert [read_batch(batch, schemas.MESSAGES).height for batch in list_batches(tmp_path / "t")[1:]] == [6, 1]
    assert read_frame(tmp_path / "t", schemas.MESSAGES).equals(log)


def test_rows_that_are_no_messages_fill_row_groups_one_by_one(tmp_path: Path) -> None:
    table = IncrementalTable(tmp_path / "t.parquet", pl.Schema({"n": pl.UInt64()}))
    for numbers in ([1, 2, 3], [4, 5, 6, 7, 8, 9]):
        table.append(pl.DataFrame({"n": numbers}, schema=table.schema))
    table.close()
    assert [batch["n"].to_list() for batch in read_batches(table.path, table.schema)] == [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
        [9],
    ]


def test_long_texts_fill_a_row_group_sooner(tmp_path: Path, messages: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """What else stands in a row is under 25 bytes and weighs nothing; 75 bytes of text weigh as much as 3 rows."""
    monkeypatch.setattr(parquet_parts, "BYTES_PER_WEIGHT", 25)
    talks = [messages("a", "x" * 75), messages("b", "hi"), messages("c", "hi")]
    write(tmp_path / "t", pl.concat(talks))
    assert [batch.height for batch in read_batches(tmp_path / "t", schemas.MESSAGES)] == [1, 2]


def test_the_same_rows_give_the_same_files_however_they_come(tmp_path: Path, log: pl.DataFrame) -> None:
    whole = write(tmp_path / "whole", log)
    one_by_one = log.partition_by("conversation_id", maintain_order=True)
    assert whole == write(tmp_path / "each", log.clear(), *one_by_one, log.clear())
    assert write(tmp_path / "full", log[:5]) == write(tmp_path / "and nothing", log[:5], log.clear())
    assert list(whole) == ["part-00.parquet", "part-01.parquet", "part-02.parquet"]


def test_the_last_possible_part_takes_all_the_rest(
    tmp_path: Path, log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_parts, "MAX_PARTS", 2)
    write(tmp_path / "t", log)
    assert [pq.read_metadata(part).num_rows for part in sorted((tmp_path / "t").iterdir())] == [5, 7]


@pytest.mark.parametrize("part_bytes", [1, 6_000, 10**9])
@pytest.mark.parametrize("n_rows", [0, 3, 5, 6, 11, 12])
def test_a_table_continued_is_the_table_written_at_once(
    tmp_path: Path, log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch, n_rows: int, part_bytes: int
) -> None:
    monkeypatch.setattr(parquet_parts, "PART_BYTES", part_bytes)
    other_end = log[n_rows:].with_columns(pl.col("text") + "!")
    write(tmp_path / "old", log)
    continued = write(tmp_path / "new", other_end, old=tmp_path / "old", n_rows=n_rows)
    assert continued == write(tmp_path / "at once", pl.concat([log[:n_rows], other_end]))


def test_full_parts_are_taken_over_without_copying(tmp_path: Path, log: pl.DataFrame) -> None:
    old = write(tmp_path / "old", log)
    write(tmp_path / "new", old=tmp_path / "old", n_rows=11)
    assert [(tmp_path / "new" / name).stat().st_nlink for name in list(old)[:2]] == [2, 2]


def test_equal_row_groups_have_equal_digests_wherever_they_stand(
    tmp_path: Path, log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "parts", log)
    monkeypatch.setattr(parquet_parts, "PART_BYTES", 10**9)
    write(tmp_path / "one", log)
    write(tmp_path / "other", log[:5], log[5:].with_columns(pl.col("text") + "!"))
    digests = hash_row_groups(tmp_path / "parts")
    assert len(set(digests)) == 3
    assert hash_row_groups(tmp_path / "one") == digests
    other = hash_row_groups(tmp_path / "other")
    assert [digest in digests for digest in other] == [True, False, False]


def test_a_table_without_rows_can_be_read(tmp_path: Path) -> None:
    write(tmp_path / "t")
    assert read_frame(tmp_path / "t", schemas.MESSAGES).equals(schemas.MESSAGES.to_frame())
    IncrementalTable(tmp_path / "q.parquet", schemas.QUARANTINE).close()
    assert read_frame(tmp_path / "q.parquet", schemas.QUARANTINE).is_empty()
