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
from turnabout.sources.reading.json_list import split_items
from turnabout.sources.reading.records import Record, list_log_files, read_records

LINES = b"".join(b'{"n": %d}\n' % n for n in range(20_000))


def read_file(folder: Path, name: str, content: bytes) -> list[Record]:
    (folder / name).write_bytes(content)
    return list(read_records(folder / name))


def list_contents(records: list[Record]) -> list[Any]:
    return [record.content for record in records if record.error is None]


def list_errors(records: list[Record]) -> list[tuple[str, str]]:
    return [(record.location, record.error) for record in records if record.error is not None]


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
def test_every_file_type_gives_the_same_records(tmp_path: Path, name: str, content: bytes) -> None:
    records = read_file(tmp_path, name, content)
    assert list_contents(records) == [{"a": "1"}, {"a": None}]
    assert list_errors(records) == []


def test_parquet_gives_one_record_per_row(tmp_path: Path) -> None:
    pl.DataFrame({"a": ["1", None], "b": [[1], []]}).write_parquet(tmp_path / "a.parquet")
    records = list(read_records(tmp_path / "a.parquet"))
    assert list_contents(records) == [{"a": "1", "b": [1]}, {"a": None, "b": []}]
    assert [record.location for record in records] == ["a.parquet:row 1", "a.parquet:row 2"]


def test_json_value_over_several_lines_is_one_record(tmp_path: Path) -> None:
    assert list_contents(read_file(tmp_path, "a.json", b'{\n "a": [1,\n 2]\n}\n')) == [{"a": [1, 2]}]


@pytest.mark.parametrize("content", [b"[\n  1,\n  2\n]\n", b'\n[{"a": [1,\n2]}]', b"[1, 2]", b"[1,\n\xff\n]"])
def test_json_list_named_as_json_lines_is_one_error(tmp_path: Path, content: bytes) -> None:
    records = read_file(tmp_path, "a.jsonl", content)
    assert list_errors(records) == [("a.jsonl", "this is one JSON document; rename it to .json")]
    assert list_contents(records) == []


def test_lines_that_are_lists_stay_records(tmp_path: Path) -> None:
    records = read_file(tmp_path, "a.jsonl", b"\n[1]\n[2]\n")
    assert [(record.location, record.content) for record in records] == [("a.jsonl:2", [1]), ("a.jsonl:3", [2])]


def test_broken_line_loses_only_itself(tmp_path: Path) -> None:
    records = read_file(tmp_path, "a.jsonl", b'1\n{\n"\xff"\n' + b"[" * 100_000 + b"\n2\n")
    assert list_contents(records) == [1, 2]
    assert list_errors(records) == [
        ("a.jsonl:2", "broken JSON: Input data was truncated"),
        ("a.jsonl:3", "broken JSON: not UTF-8"),
        ("a.jsonl:4", "broken JSON: nested too deeply"),
    ]


def test_broken_item_of_a_list_loses_only_itself(tmp_path: Path) -> None:
    deep = b"[" * 50_000 + b"]" * 50_000
    records = read_file(tmp_path, "a.json", b'[1, 1e999, "\\ud800", "a,]\\"[", NaN, ' + deep + b', {"a": [{}, "}"]}]')
    assert list_contents(records) == [1, 'a,]"[', {"a": [{}, "}"]}]
    assert [location for location, _ in list_errors(records)] == [f"a.json:[{number}]" for number in (1, 2, 4, 5)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_list_items_do_not_depend_on_the_chunk_size(size: int) -> None:
    class Trickle(io.BytesIO):
        def read1(self, n: int | None = -1, /) -> bytes:
            return super().read1(size)

    wanted = [{"a": 'x"\\, [', "b": []}, "é,]", 5, [[1, {}], 2], None]
    stream: Any = Trickle(json.dumps(wanted, ensure_ascii=False).encode())
    assert [json.loads(item) for item in split_items(stream, 1000)] == wanted


def test_text_after_a_list_and_unfinished_list_are_errors(tmp_path: Path) -> None:
    more, endless = (read_file(tmp_path, "a.json", content) for content in (b"[1] 2", b"[1, 2"))
    assert list_contents(more) == list_contents(endless) == [1]
    assert list_errors(more) == [("a.json", "the rest of the file cannot be read: more follows the list")]
    assert list_errors(endless) == [("a.json", "the rest of the file cannot be read: the list does not end")]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_records_before_the_end_of_a_truncated_file_are_kept(tmp_path: Path, pack: Any) -> None:
    packed = pack(LINES)
    records = read_file(
        tmp_path, "a.jsonl" + (".gz" if pack is gzip.compress else ".zst"), packed[: len(packed) * 2 // 3]
    )
    assert len(list_contents(records)) > 5_000
    assert list_contents(records) == [{"n": n} for n in range(len(list_contents(records)))]
    ((_, error),) = list_errors(records)
    assert error.startswith("the rest of the file cannot be read: ")


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst", "a.parquet", "a.parquet.gz"])
def test_file_of_another_type_than_its_name_is_one_error(tmp_path: Path, name: str) -> None:
    ((location, error),) = list_errors(
        read_file(tmp_path, name, b"this is plain text, and long enough to be looked at")
    )
    assert location == name
    assert error.startswith("the rest of the file cannot be read: ")


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
def test_too_long_record_is_not_held_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, wanted: list[Any]
) -> None:
    monkeypatch.setattr(module, "MAX_RECORD", 2**10)
    records = read_file(tmp_path, name, content)
    assert list_contents(records) == wanted
    assert len(list_errors(records)) == 1
    assert all(len(record.excerpt) <= 200 for record in records)


def test_errors_of_csv_lose_only_their_rows(tmp_path: Path) -> None:
    records = read_file(tmp_path, "a.csv", b'a,b\n1,"x\ny"\n1\n\xff,2\n"1"x,2\n\x00,3\n')
    assert list_contents(records) == [{"a": "1", "b": "x\ny"}, {"a": "\x00", "b": "3"}]
    assert list_errors(records) == [
        ("a.csv:4", "broken CSV: 1 cells, the header has 2"),
        ("a.csv:5", "broken CSV: not UTF-8"),
        ("a.csv:6", "broken CSV: ',' expected after '\"'"),
    ]


def test_unclosed_csv_quote_and_repeated_column_are_errors(tmp_path: Path) -> None:
    assert list_errors(read_file(tmp_path, "a.csv", b'a\n1\n"2\n3\n')) == [
        ("a.csv:4", "broken CSV: unexpected end of data")
    ]
    ((_, error),) = list_errors(read_file(tmp_path, "b.csv", b"a,a\n1,2\n"))
    assert error == "the rest of the file cannot be read: the header names a column twice: ['a', 'a']"


def test_parquet_row_beyond_python_times_loses_only_itself(tmp_path: Path) -> None:
    beyond = pa.array([0, 2**62, 1], pa.int64()).cast(pa.timestamp("us"))
    pq.write_table(pa.table({"at": beyond}), tmp_path / "a.parquet")
    records = list(read_records(tmp_path / "a.parquet"))
    assert len(list_contents(records)) == 2
    ((location, error),) = list_errors(records)
    assert (location, error.partition(":")[0]) == ("a.parquet:row 2", "broken Parquet")


def test_files_of_a_folder_or_glob_are_ordered_by_name(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.csv.gz", "notes.txt", "sub/c.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in list_log_files(str(tmp_path))] == ["a.csv.gz", "b.jsonl", "c.json"]
    assert [path.name for path in list_log_files(str(tmp_path / "*.jsonl"))] == ["b.jsonl"]
    with pytest.raises(DataError, match=r"nowhere.* holds no log file; give a file, a glob"):
        list_log_files(str(tmp_path / "nowhere"))
