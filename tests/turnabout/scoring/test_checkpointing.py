"""A run that is cut off: what is kept, what is read again, and the bytes in the end."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from turnabout.errors import ConfigError, DataError
from turnabout.generation.unopened import UNOPENED
from turnabout.scoring.base import ScorerContext, Pair, RawScore, Scorer
from turnabout.scoring.checkpointing import CHUNK_SIZE, RAW_SCORES_FILE, lock_output, start_run, get_part_folder, score_pairs

PAIRS = [Pair(f"é{i}", [{"role": "user", "content": "Hi"}], "a" * i, "b" * 40) for i in range(2 * CHUNK_SIZE + 5)]
MEANS = ScorerContext(UNOPENED, "scores", 1)


class Killed(Exception):
    """The machine went away."""


def scorer(seen: list[str], last: int) -> Scorer:
    """Reads lengths, notes whom it read, and dies at the chunk after so many pairs."""

    def read(pairs: Sequence[Pair], _: ScorerContext) -> list[RawScore]:
        if len(seen) >= last:
            raise Killed
        seen.extend(str(pair.id) for pair in pairs)
        return [(len(pair.a), len(pair.b), None, "why") for pair in pairs]

    return Scorer("nothing", read)


def whole_run(out: Path) -> bytes:
    start_run(out, {"by": "x"})
    score_pairs(PAIRS, scorer([], last=999), MEANS, out)
    return out.read_bytes()


def test_a_line_per_pair_in_order_and_nothing_left_beside_it(tmp_path: Path) -> None:
    out = tmp_path / "scores.jsonl"
    rows = [json.loads(line) for line in whole_run(out).decode().splitlines()]
    assert [row["id"] for row in rows] == [pair.id for pair in PAIRS]
    assert rows[3] == {"id": "é3", "score_a": 3, "score_b": 40, "prefer": None}
    assert list(tmp_path.iterdir()) == [out]


LINE = b'[1, 2, null, "why"]\n'


@pytest.mark.parametrize("torn", [b"", LINE + b"[3, 4", LINE * (CHUNK_SIZE - 1) + b"[3", b"\xff"])
def test_an_interrupted_run_reads_whole_chunks_no_second_time(tmp_path: Path, torn: bytes) -> None:
    expected = whole_run(tmp_path / "whole.jsonl")
    out = tmp_path / "scores.jsonl"
    seen: list[str] = []
    start_run(out, {"by": "x"})
    with pytest.raises(Killed):
        score_pairs(PAIRS, scorer(seen, last=CHUNK_SIZE), MEANS, out)
    assert not out.exists()
    with (get_part_folder(out) / RAW_SCORES_FILE).open("ab") as kept:
        kept.write(torn)
    start_run(out, {"by": "x"})
    score_pairs(PAIRS, scorer(seen, last=999), MEANS, out)
    assert seen == [pair.id for pair in PAIRS]
    assert out.read_bytes() == expected


def test_a_run_that_died_before_the_last_step_reads_nothing_again(tmp_path: Path) -> None:
    expected, out = whole_run(tmp_path / "whole.jsonl"), tmp_path / "scores.jsonl"
    seen: list[str] = []

    def die(_: Sequence[RawScore]) -> list:  # type: ignore[type-arg]
        raise Killed

    start_run(out, {"by": "x"})
    with pytest.raises(Killed):
        score_pairs(PAIRS, scorer(seen, last=999)._replace(settle=die), MEANS, out)
    score_pairs(PAIRS, scorer(seen, last=0), MEANS, out)
    assert len(seen) == len(PAIRS)
    assert out.read_bytes() == expected


def test_other_settings_do_not_go_on_with_what_was_read(tmp_path: Path) -> None:
    out = tmp_path / "scores.jsonl"
    start_run(out, {"by": "x", "model": "0"})
    start_run(out, {"by": "x", "model": "1"})
    with pytest.raises(Killed):
        score_pairs(PAIRS, scorer([], last=CHUNK_SIZE), MEANS, out)
    start_run(out, {"by": "x", "model": "1"})
    with pytest.raises(DataError, match=r"begun with other settings \(model\)"):
        start_run(out, {"by": "x", "model": "2"})


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    out = tmp_path / "scores.jsonl"
    with lock_output(out):
        start_run(out, {"by": "x"})
        with pytest.raises(DataError, match=r"another run is writing .*scores\.jsonl"), lock_output(out):
            pass
        score_pairs(PAIRS, scorer([], last=999), MEANS, out)
    assert list(tmp_path.iterdir()) == [out]
    with lock_output(out):  # free again
        assert get_part_folder(out).is_dir()


def test_a_place_where_nothing_can_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written: Not a directory"), lock_output(tmp_path / "file" / "s.jsonl"):
        pass
