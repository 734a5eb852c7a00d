"""Only what is new is worked on, and the tables are those of a run from nothing."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest

from turnabout.core import parquet_parts, schemas
from turnabout.core.incremental import build_key, hash_file, open_build
from turnabout.errors import DataError

#: Input by fingerprint, and the rows that each makes.
DAYS = {"monday": 3, "tuesday": 2, "friday": 4}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_parts, "GROUP_WEIGHT", 2)


def run(folder: Path, days: Mapping[str, int], key: str = "k", unknown: str = "", dies_on: str = "") -> list[str]:
    """One run of a stage that makes a quarantine of these days; the days it worked on."""
    units = [None if day == unknown else day for day in days]
    worked_on = []
    with open_build(folder / "ledger.json", key, units, {"rows": (folder / "q.parquet", schemas.QUARANTINE)}) as growth:
        for day, unit in list(zip(days, units, strict=True))[growth.n_kept :]:
            rows = [(day, str(n), "no reason", "") for n in range(days[day])]
            for row in rows:
                one = pl.DataFrame([row], schema=schemas.QUARANTINE, orient="row")
                growth.add_rows({"totals": {"n": 1}, "days": {day: 1}}, rows=one)
            if day == dies_on:
                raise RuntimeError("killed")
            growth.finish_unit(unit)
            worked_on.append(day)
    assert growth.sum_counts("days") == {day: days[day] for day in sorted(days)}
    assert growth.sum_counts("totals") == {"n": sum(days.values())}
    return worked_on


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def from_nothing(folder: Path, days: Mapping[str, int], **options: str) -> dict[str, bytes]:
    run(folder / "anew", days, **options)
    return files(folder / "anew")


@pytest.mark.parametrize(
    ("days", "worked_on"),
    [
        (DAYS, []),
        (DAYS | {"sunday": 1}, ["sunday"]),
        ({"monday": 3, "wednesday": 1, "friday": 4}, ["wednesday", "friday"]),
        ({"monday": 3, "friday": 4}, ["friday"]),
        ({"monday": 3}, []),
        ({"friday": 4, "monday": 3}, ["friday", "monday"]),
    ],
)
def test_the_unchanged_beginning_is_kept(tmp_path: Path, days: dict[str, int], worked_on: list[str]) -> None:
    run(tmp_path / "t", DAYS)
    assert run(tmp_path / "t", days) == worked_on
    assert files(tmp_path / "t") == from_nothing(tmp_path, days)


def test_other_settings_make_everything_anew(tmp_path: Path) -> None:
    run(tmp_path / "t", DAYS)
    assert run(tmp_path / "t", DAYS, key="other") == list(DAYS)


def test_what_cannot_be_told_apart_is_read_again_with_all_after_it(tmp_path: Path) -> None:
    run(tmp_path / "t", DAYS, unknown="tuesday")
    assert run(tmp_path / "t", DAYS, unknown="tuesday") == ["tuesday", "friday"]
    assert files(tmp_path / "t") == from_nothing(tmp_path, DAYS, unknown="tuesday")


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: flip_a_bit(folder / "q.parquet"),
        lambda folder: (folder / "q.parquet").unlink(),
        lambda folder: (folder / "ledger.json").unlink(),
        lambda folder: (folder / "ledger.json").write_text('{"key": "k"'),
    ],
)
def test_damaged_output_is_noticed_and_made_anew(tmp_path: Path, damage: object) -> None:
    run(tmp_path / "t", DAYS)
    before = files(tmp_path / "t")
    damage(tmp_path / "t")  # type: ignore[operator]
    assert run(tmp_path / "t", DAYS) == list(DAYS)
    assert files(tmp_path / "t") == before


def test_a_run_that_dies_leaves_the_old_tables(tmp_path: Path) -> None:
    run(tmp_path / "t", {"monday": 3})
    before = files(tmp_path / "t")
    with pytest.raises(RuntimeError, match="killed"):
        run(tmp_path / "t", DAYS, dies_on="friday")
    assert files(tmp_path / "t") == before


def test_what_a_killed_run_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / "t" / ".q.parquet.abc.tmp").mkdir(parents=True)
    (tmp_path / "t" / ".other.abc.tmp").mkdir()
    run(tmp_path / "t", DAYS)
    assert [path.name for path in sorted((tmp_path / "t").iterdir())] == [".other.abc.tmp", "ledger.json", "q.parquet"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read: Is a directory; check its permissions"):
        hash_file(tmp_path)


def test_a_key_changes_with_settings_code_and_packages(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "a.py").write_text("1")
    key = build_key("s", [code], ["polars"])
    assert key == build_key("s", [code], ["polars"])
    assert len({key, build_key("t", [code], ["polars"]), build_key("s", [code], ["polars", "pyarrow"])}) == 3
    (code / "a.pyc").write_text("compiled")
    assert build_key("s", [code], ["polars"]) == key
    shutil.copy(code / "a.py", code / "b.py")
    assert build_key("s", [code], ["polars"]) != key
