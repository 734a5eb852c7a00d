"""Files: whole or not at all, checked on the way in and out, the same bytes for the same rows."""

import json
from fnmatch import fnmatch
from pathlib import Path

import polars as pl
import pytest

from tests.source_tree import ROOT
from turnabout.core import schemas
from turnabout.core.io import read_frame, replace_when_done, write_frame, write_json
from turnabout.errors import DataError

ROW = pl.DataFrame([{"conversation_id": "a", "user_key": "ann", "split": "train"}], schema=schemas.SPLITS)


def test_a_frame_comes_back_as_it_was_and_always_as_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "deep" / "a.parquet", tmp_path / "b.parquet"
    write_frame(ROW, first, schemas.SPLITS)
    write_frame(ROW, second, schemas.SPLITS)
    assert read_frame(first, schemas.SPLITS).equals(ROW)
    assert first.read_bytes() == second.read_bytes()


def test_a_missing_column_is_named_where_it_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing columns \['split'\]; has \['conversation_id', 'user_key'\]"):
        write_frame(ROW.drop("split"), tmp_path / "a.parquet", schemas.SPLITS)
    assert not list(tmp_path.iterdir())


def test_a_column_of_another_type_is_named_with_both_types(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="split is Int64, must be String"):
        write_frame(ROW.with_columns(split=pl.lit(1, pl.Int64)), tmp_path / "a.parquet", schemas.SPLITS)


def test_a_missing_table_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such table; run the stage that writes it"):
        read_frame(tmp_path / "none.parquet", schemas.SPLITS)


def test_a_writer_that_dies_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    write_json({"n": 1}, path)

    def die_in_the_middle() -> None:
        with replace_when_done(path) as part:
            part.write_text('{"n": ')
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        die_in_the_middle()
    assert json.loads(path.read_text()) == {"n": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]


def test_a_folder_replaces_a_folder_whole(tmp_path: Path) -> None:
    for name in ("old", "new"):
        with replace_when_done(tmp_path / "model") as part:
            part.mkdir()
            (part / name).write_text(name)
    assert [p.name for p in (tmp_path / "model").iterdir()] == ["new"]


def test_what_a_killed_writer_leaves_is_ignored_by_dvc(tmp_path: Path) -> None:
    ignored = (ROOT / ".dvcignore").read_text().split()
    with replace_when_done(tmp_path / "a.parquet") as part:
        part.write_text("x")
        leftover = part.parent.name
    assert any(fnmatch(leftover, pattern) for pattern in ignored)


def test_a_figure_that_is_not_a_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range float values"):
        write_json({"loss": float("nan")}, tmp_path / "m.json")
