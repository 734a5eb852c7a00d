import gzip
import io
import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from turnabout.errors import DataError
from turnabout.sources.reading import records as module
from turnabout.sources.reading.json_list import items
from turnabout.sources.reading.records import Record, log_files, records

LINES = b"".join(b'{"n": %d}\n' % n for n in range(20_000))


def read(folder: Path, name: str, content: bytes) -> list[Record]:
    (folder / name).write_bytes(content)
    return list(records(folder / name))


def contents(found: list[Record]) -> list[Any]:
    return [record.content for record in found if record.fault is None]


def faults(found: list[Record]) -> list[tuple[str, str]]:
    return [(record.where, record.fault) for record in found if record.fault is not None]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", b'{"a": "1"}\r\n\n{"a": null}'),
        ("a.ndjson", b'\xef\xbb\xbf{"a": "1"}\n  \n{"a": null}\n'),
        ("a.json", b' \n[{"a": "1"},\n {"a": null}]\n'),
        ("b.json", b'\xef\xbb\xbf[{"a": "1"},{"a": null}]'),
        ("c.json", b'{"a": "1"}\n{"a": null}\n'),
        ("a.csv", b'\xef\xbb\xbfa\r\n1\r\n""\r\n'),
        ("a.jsonl.gz", gzip.compress(b'{"a": "1"}\n') + gzip.compress(b'{"a": null}\n')),
        ("a.json.zst", zstandard.compress(b'[{"a": "1"},') + zstandard.compress(b'{"a": null}]')),
    ],
)
def test_every_container_gives_the_same_records(tmp_path: Path, name: str, content: bytes) -> None:
    found = read(tmp_path, name, content)
    assert contents(found) == [{"a": "1"}, {"a": None}]
    assert faults(found) == []


def test_parquet_gives_a_record_a_row(tmp_path: Path) -> None:
    pl.DataFrame({"a": ["1", None], "b": [[1], []]}).write_parquet(tmp_path / "a.parquet")
    found = list(records(tmp_path / "a.parquet"))
    assert contents(found) == [{"a": "1", "b": [1]}, {"a": None, "b": []}]
    assert [record.where for record in found] == ["a.parquet:row 1", "a.parquet:row 2"]


def test_one_json_value_over_several_lines_is_one_record(tmp_path: Path) -> None:
    assert contents(read(tmp_path, "a.json", b'{\n "a": [1,\n 2]\n}\n')) == [{"a": [1, 2]}]


def test_a_broken_line_costs_itself_alone(tmp_path: Path) -> None:
    found = read(tmp_path, "a.jsonl", b'1\n{\n"\xff"\n' + b"[" * 100_000 + b"\n2\n")
    assert contents(found) == [1, 2]
    assert faults(found) == [
        ("a.jsonl:2", "broken JSON: Input data was truncated"),
        ("a.jsonl:3", "broken JSON: not UTF-8"),
        ("a.jsonl:4", "broken JSON: nested too deeply"),
    ]


def test_a_broken_item_of_a_list_costs_itself_alone(tmp_path: Path) -> None:
    deep = b"[" * 50_000 + b"]" * 50_000
    found = read(tmp_path, "a.json", b'[1, 1e999, "\\ud800", "a,]\\"[", NaN, ' + deep + b', {"a": [{}, "}"]}]')
    assert contents(found) == [1, 'a,]"[', {"a": [{}, "}"]}]
    assert [where for where, _ in faults(found)] == [f"a.json:[{number}]" for number in (1, 2, 4, 5)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_items_of_a_list_are_the_same_however_the_bytes_come(size: int) -> None:
    class Trickle(io.BytesIO):
        def read1(self, n: int | None = -1, /) -> bytes:
            return super().read1(size)

    wanted = [{"a": 'x"\\, [', "b": []}, "é,]", 5, [[1, {}], 2], None]
    stream: Any = Trickle(json.dumps(wanted, ensure_ascii=False).encode())
    assert [json.loads(item) for item in items(stream, 1000)] == wanted


def test_what_follows_a_list_or_a_list_without_end_is_told(tmp_path: Path) -> None:
    more, endless = (read(tmp_path, "a.json", content) for content in (b"[1] 2", b"[1, 2"))
    assert contents(more) == contents(endless) == [1]
    assert faults(more) == [("a.json", "the rest of the file cannot be read: more follows the list")]
    assert faults(endless) == [("a.json", "the rest of the file cannot be read: the list does not end")]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_of_a_packed_file_that_ends_too_early_all_before_is_kept(tmp_path: Path, pack: Any) -> None:
    packed = pack(LINES)
    found = read(tmp_path, "a.jsonl" + (".gz" if pack is gzip.compress else ".zst"), packed[: len(packed) * 2 // 3])
    assert len(contents(found)) > 5_000
    assert contents(found) == [{"n": n} for n in range(len(contents(found)))]
    ((_, told),) = faults(found)
    assert told.startswith("the rest of the file cannot be read: ")


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst", "a.parquet", "a.parquet.gz"])
def test_a_file_that_is_not_what_its_name_says_is_one_fault(tmp_path: Path, name: str) -> None:
    ((where, told),) = faults(read(tmp_path, name, b"this is plain text, and long enough to be looked at"))
    assert where == name
    assert told.startswith("the rest of the file cannot be read: ")


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("a.jsonl", b'"1"\n"' + b"x" * 3000 + b'"\n"2"\n', ["1", "2"]),
        ("a.json", b'"1"\n"' + b"x" * 3000 + b'"\n"2"\n', ["1", "2"]),
        ("b.json", b'["1", "' + b"x" * 2_000_000 + b'", "2"]', ["1"]),
        ("c.json", b'{"a":\n"' + b"x" * 3000 + b'"}', []),
        ("a.csv", b"a\n1\n" + b"x" * 3000 + b"\n2\n", [{"a": "1"}]),
    ],
)
def test_a_record_that_is_too_long_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, wanted: list[Any]
) -> None:
    monkeypatch.setattr(module, "MAX_RECORD", 2**10)
    found = read(tmp_path, name, content)
    assert contents(found) == wanted
    assert len(faults(found)) == 1
    assert all(len(record.excerpt) <= 200 for record in found)


def test_faults_of_csv_cost_their_rows(tmp_path: Path) -> None:
    found = read(tmp_path, "a.csv", b'a,b\n1,"x\ny"\n1\n\xff,2\n"1"x,2\n\x00,3\n')
    assert contents(found) == [{"a": "1", "b": "x\ny"}, {"a": "\x00", "b": "3"}]
    assert faults(found) == [
        ("a.csv:4", "broken CSV: 1 cells, the header has 2"),
        ("a.csv:5", "broken CSV: not UTF-8"),
        ("a.csv:6", "broken CSV: ',' expected after '\"'"),
    ]


def test_a_csv_quote_that_never_ends_and_a_column_named_twice_are_faults(tmp_path: Path) -> None:
    assert faults(read(tmp_path, "a.csv", b'a\n1\n"2\n3\n')) == [("a.csv:4", "broken CSV: unexpected end of data")]
    ((_, told),) = faults(read(tmp_path, "b.csv", b"a,a\n1,2\n"))
    assert told == "the rest of the file cannot be read: the header names a column twice: ['a', 'a']"


def test_a_row_of_parquet_that_python_cannot_hold_costs_itself_alone(tmp_path: Path) -> None:
    beyond = pa.array([0, 2**62, 1], pa.int64()).cast(pa.timestamp("us"))
    pq.write_table(pa.table({"at": beyond}), tmp_path / "a.parquet")
    found = list(records(tmp_path / "a.parquet"))
    assert len(contents(found)) == 2
    ((where, told),) = faults(found)
    assert (where, told.partition(":")[0]) == ("a.parquet:row 2", "broken Parquet")


def test_files_of_a_folder_or_glob_come_by_name(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.csv.gz", "notes.txt", "sub/c.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in log_files(str(tmp_path))] == ["a.csv.gz", "b.jsonl", "c.json"]
    assert [path.name for path in log_files(str(tmp_path / "*.jsonl"))] == ["b.jsonl"]
    with pytest.raises(DataError, match=r"nowhere.* holds no log file; give a file, a glob"):
        log_files(str(tmp_path / "nowhere"))
