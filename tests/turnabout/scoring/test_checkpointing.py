"""Interrupted scoring runs: what is stored, what is scored again, and the final bytes."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from turnabout.errors import ConfigError, DataError
from turnabout.generation.unopened import UNOPENED
from turnabout.scoring.base import Pair, RawScore, Scorer, ScorerContext
from turnabout.scoring.checkpointing import (
    CHUNK_SIZE,
    RAW_SCORES_FILE,
    get_part_folder,
    lock_output,
    score_pairs,
    start_run,
)

PAIRS = [Pair(f"é{i}", [{"role": "user", "content": "Hi"}], "a" * i, "b" * 40) for i in range(2 * CHUNK_SIZE + 5)]
CONTEXT = ScorerContext(UNOPENED, "scores", max_prompt_tokens=1)


class SimulatedCrash(Exception):
    """The process is killed."""


def build_scorer(scored_ids: list[str], max_pairs: int) -> Scorer:
    """A build_scorer by length that records the ids of its pairs and crashes at the chunk after `max_pairs`."""

    def score_chunk(pairs: Sequence[Pair], _: ScorerContext) -> list[RawScore]:
        if len(scored_ids) >= max_pairs:
            raise SimulatedCrash
        scored_ids.extend(str(pair.id) for pair in pairs)
        return [(len(pair.a), len(pair.b), None, "why") for pair in pairs]

    return Scorer("nothing", score_chunk)


def run_uninterrupted(out: Path) -> bytes:
    start_run(out, {"by": "x"})
    score_pairs(PAIRS, build_scorer([], max_pairs=999), CONTEXT, out)
    return out.read_bytes()


def test_output_has_a_line_per_pair_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    out = tmp_path / "scores.jsonl"
    rows = [json.loads(line) for line in run_uninterrupted(out).decode().splitlines()]
    assert [row["id"] for row in rows] == [pair.id for pair in PAIRS]
    assert rows[3] == {"id": "é3", "score_a": 3, "score_b": 40, "prefer": None}
    assert list(tmp_path.iterdir()) == [out]


LINE = b'[1, 2, null, "why"]\n'


@pytest.mark.parametrize("torn", [b"", LINE + b"[3, 4", LINE * (CHUNK_SIZE - 1) + b"[3", b"\xff"])
def test_interrupted_run_scores_no_whole_chunk_again(tmp_path: Path, torn: bytes) -> None:
    expected = run_uninterrupted(tmp_path / "whole.jsonl")
    out = tmp_path / "scores.jsonl"
    scored_ids: list[str] = []
    start_run(out, {"by": "x"})
    with pytest.raises(SimulatedCrash):
        score_pairs(PAIRS, build_scorer(scored_ids, max_pairs=CHUNK_SIZE), CONTEXT, out)
    assert not out.exists()
    with (get_part_folder(out) / RAW_SCORES_FILE).open("ab") as file:
        file.write(torn)
    start_run(out, {"by": "x"})
    score_pairs(PAIRS, build_scorer(scored_ids, max_pairs=999), CONTEXT, out)
    assert scored_ids == [pair.id for pair in PAIRS]
    assert out.read_bytes() == expected


def test_run_that_crashed_in_finalize_scores_nothing_again(tmp_path: Path) -> None:
    expected, out = run_uninterrupted(tmp_path / "whole.jsonl"), tmp_path / "scores.jsonl"
    scored_ids: list[str] = []

    def crash(_: Sequence[RawScore]) -> list:  # type: ignore[type-arg]
        raise SimulatedCrash

    start_run(out, {"by": "x"})
    with pytest.raises(SimulatedCrash):
        score_pairs(PAIRS, build_scorer(scored_ids, max_pairs=999)._replace(finalize=crash), CONTEXT, out)
    score_pairs(PAIRS, build_scorer(scored_ids, max_pairs=0), CONTEXT, out)
    assert len(scored_ids) == len(PAIRS)
    assert out.read_bytes() == expected


def test_run_with_other_settings_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "scores.jsonl"
    start_run(out, {"by": "x", "model": "0"})
    start_run(out, {"by": "x", "model": "1"})
    with pytest.raises(SimulatedCrash):
        score_pairs(PAIRS, build_scorer([], max_pairs=CHUNK_SIZE), CONTEXT, out)
    start_run(out, {"by": "x", "model": "1"})
    with pytest.raises(DataError, match=r"started with other settings \(model\)"):
        start_run(out, {"by": "x", "model": "2"})


def test_two_runs_cannot_write_one_file(tmp_path: Path) -> None:
    out = tmp_path / "scores.jsonl"
    with lock_output(out):
        start_run(out, {"by": "x"})
        with pytest.raises(DataError, match=r"another run is writing .*scores\.jsonl"), lock_output(out):
            pass
        score_pairs(PAIRS, build_scorer([], max_pairs=999), CONTEXT, out)
    assert list(tmp_path.iterdir()) == [out]
    with lock_output(out):  # free again
        assert get_part_folder(out).is_dir()


def test_output_that_cannot_be_written_raises(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigError, match="cannot be written: Not a directory"),
        lock_output(tmp_path / "file" / "s.jsonl"),
    ):
        pass
