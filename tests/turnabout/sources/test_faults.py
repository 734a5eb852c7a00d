"""Tests of damaged records of every format.

`python -m benchmarks.faults` reads many more of them.
"""

import json
from pathlib import Path

import pytest

from benchmarks.faults import build_damaged_lines, count_outcomes, format_mark
from benchmarks.log_samples import build_samples
from turnabout.sources.detection import RECORD_FORMATS, detect_format
from turnabout.sources.openai import OpenAI

FORMATS = sorted(RECORD_FORMATS)
N_LINES = 500


def test_every_record_format_has_a_sample() -> None:
    assert sorted(build_samples("")) == FORMATS


@pytest.mark.parametrize("format_", FORMATS)
def test_undamaged_record_of_every_format_is_read_and_recognised(tmp_path: Path, format_: str) -> None:
    records = [build_samples(format_mark(number))[format_] for number in range(3)]
    counts = count_outcomes(format_, tmp_path, [json.dumps(record).encode() for record in records])
    assert (counts.n_in_messages, counts.n_quarantined) == (3, 0)
    assert detect_format(records[0]) == format_


@pytest.mark.parametrize("format_", FORMATS)
def test_every_damaged_line_is_in_messages_or_in_quarantine(tmp_path: Path, format_: str) -> None:
    counts = count_outcomes(format_, tmp_path, build_damaged_lines(format_, N_LINES, seed=7))
    assert counts.lost == []
    assert counts.n_in_messages + counts.n_quarantined == counts.n_records
    assert counts.n_in_messages > N_LINES // 10
    assert counts.n_quarantined > N_LINES // 10


def test_damage_is_the_same_for_the_same_seed() -> None:
    assert (
        build_damaged_lines("openai", 50, seed=1)
        == build_damaged_lines("openai", 50, seed=1)
        != build_damaged_lines("openai", 50, seed=2)
    )


def test_line_of_50_mb_is_read_and_one_of_68_mb_rejected(tmp_path: Path) -> None:
    spoken, long = (json.dumps({"messages": [{"role": "user", "content": "x" * n * 10**6}]}).encode() for n in (50, 68))
    (tmp_path / "log.jsonl").write_bytes(b"\n".join([spoken, long, spoken]))
    source = OpenAI(path=str(tmp_path))
    batches = list(source.read_batches(source.list_pieces()[0]))
    assert [length for batch in batches for length in batch.messages["text"].str.len_bytes()] == [50 * 10**6] * 2
    (rejected,) = (row for batch in batches for row in batch.quarantine.rows())
    assert rejected[1:3] == ("log.jsonl:2", "longer than 64 MB")
