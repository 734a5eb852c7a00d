"""Damaged records of every format; the full number is read by `python -m benchmarks.faults`."""

import json
from pathlib import Path

import pytest

from benchmarks.faults import count, lines, mark_of
from benchmarks.log_samples import samples
from turnabout.sources.detection import formats, formats_of
from turnabout.sources.openai import OpenAI

FORMATS = sorted(formats())
N_LINES = 500


def test_every_format_that_is_recognised_has_a_sample() -> None:
    assert sorted(samples("")) == FORMATS


@pytest.mark.parametrize("format_", FORMATS)
def test_an_undamaged_record_of_every_format_is_read_and_known(tmp_path: Path, format_: str) -> None:
    records = [samples(mark_of(number))[format_] for number in range(3)]
    told = count(format_, tmp_path, [json.dumps(record).encode() for record in records])
    assert (told.n_in_messages, told.n_quarantined) == (3, 0)
    assert formats_of(records[0]) == [format_]


@pytest.mark.parametrize("format_", FORMATS)
def test_every_damaged_line_is_in_messages_or_in_quarantine(tmp_path: Path, format_: str) -> None:
    told = count(format_, tmp_path, lines(format_, N_LINES, seed=7))
    assert told.lost == []
    assert told.n_in_messages + told.n_quarantined == told.n_records
    assert told.n_in_messages > N_LINES // 10
    assert told.n_quarantined > N_LINES // 10


def test_the_damage_is_the_same_for_the_same_seed() -> None:
    assert lines("openai", 50, seed=1) == lines("openai", 50, seed=1) != lines("openai", 50, seed=2)


def test_a_line_of_50_mb_is_read_and_one_beyond_the_limit_is_rejected(tmp_path: Path) -> None:
    spoken, long = (json.dumps({"messages": [{"role": "user", "content": "x" * n * 10**6}]}).encode() for n in (50, 68))
    (tmp_path / "log.jsonl").write_bytes(b"\n".join([spoken, long, spoken]))
    source = OpenAI(path=str(tmp_path))
    batches = list(source.batches(source.pieces()[0]))
    assert [length for batch in batches for length in batch.messages["text"].str.len_bytes()] == [50 * 10**6] * 2
    (rejected,) = (row for batch in batches for row in batch.quarantine.rows())
    assert rejected[1:3] == ("log.jsonl:2", "longer than 64 MB")
