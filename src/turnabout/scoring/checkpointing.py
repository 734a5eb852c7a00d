"""Checkpoints of a scoring run.

An interrupted run continues and ends with the same bytes. Beside OUT, the folder OUT.part holds the settings of the
run, the raw scores so far and the model's answers. Pairs are scored in chunks, because the last digits of a model's
output depend on the other texts in its batch: an interrupted chunk is scored again as a whole.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from tqdm import tqdm

from turnabout.core.io import read_json, write_json, write_text
from turnabout.errors import ConfigError, DataError
from turnabout.scoring.base import Pair, RawScore, Score, Scorer, ScorerContext

#: File in OUT.part with a line of JSON per pair that is done.
RAW_SCORES_FILE = "readings.jsonl"

#: Pairs that are scored and stored at a time.
CHUNK_SIZE = 32


def get_part_folder(out: Path) -> Path:
    """Return the folder that holds the progress until all pairs are done."""
    return out.with_name(out.name + ".part")


@contextmanager
def lock_output(out: Path) -> Iterator[None]:
    """Create OUT.part and keep other runs from writing to `out`.

    The lock is held within the context. Raises `DataError` where another run is writing, and `ConfigError` where the
    folder cannot be written.
    """
    part = get_part_folder(out)
    lock = FileLock(part / "lock", timeout=0)
    try:
        part.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise DataError(f"another run is writing {out} at this moment; wait for it, or give another --out") from error
    except OSError as error:
        raise ConfigError(f"--out: {out} cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


def start_run(out: Path, settings: Mapping[str, Any]) -> Path:
    """Start or continue a run; return its folder.

    Raises `DataError` where an interrupted run had other settings and has stored any score.
    """
    part = get_part_folder(out)
    settings_file = part / "settings.json"
    if (part / RAW_SCORES_FILE).exists() and (stored := read_json(settings_file)) != settings:
        differing = sorted(key for key in {*stored, *settings} if stored.get(key) != settings.get(key))
        raise DataError(
            f"{part} holds a run that was started with other settings ({', '.join(differing)}); "
            "run it with those, delete the folder, or give another --out"
        )
    write_json(settings, settings_file)
    return part


def score_pairs(pairs: Sequence[Pair], scorer: Scorer, context: ScorerContext, out: Path) -> list[Score]:
    """Score all pairs and write one line per pair to `out`, in order.

    Pairs whose raw scores are in OUT.part are not scored again. OUT.part is deleted in the end.
    """
    raw_scores_file = get_part_folder(out) / RAW_SCORES_FILE
    raw_scores = _read_finished_chunks(raw_scores_file, len(pairs))
    bar = tqdm(total=len(pairs), initial=len(raw_scores), unit="pair", disable=None)
    with raw_scores_file.open("a", encoding="utf-8") as file, bar:
        for start in range(len(raw_scores), len(pairs), CHUNK_SIZE):
            new = scorer.score_chunk(pairs[start : start + CHUNK_SIZE], context)
            file.writelines(json.dumps(raw_score) + "\n" for raw_score in new)
            file.flush()
            os.fsync(file.fileno())
            raw_scores += new
            bar.update(len(new))
    scores = scorer.finalize(raw_scores)
    write_text("".join(_format_line(pair, score) for pair, score in zip(pairs, scores, strict=True)), out)
    shutil.rmtree(get_part_folder(out))
    return scores


def _format_line(pair: Pair, score: Score) -> str:
    row = {"id": pair.id, "score_a": score.a, "score_b": score.b, "prefer": score.prefer}
    return json.dumps(row, ensure_ascii=False) + "\n"


def _read_finished_chunks(file: Path, n_pairs: int) -> list[RawScore]:
    """Return the raw scores of whole chunks.

    Whatever follows them in the file is cut off.
    """
    if not file.exists():
        return []
    lines = file.read_bytes().splitlines(keepends=True)
    whole = [line for line in lines if line.endswith(b"\n")]
    if len(whole) < n_pairs:
        whole = whole[: len(whole) // CHUNK_SIZE * CHUNK_SIZE]
    os.truncate(file, sum(map(len, whole)))
    return [json.loads(line) for line in whole]


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
