"""Scores kept as they come: a run that was cut off goes on where it stood and ends with the same bytes.

Beside OUT stands the folder OUT.part with the settings it was begun with, the scores so far and the model's answers.
Pairs are scored a chunk at a time, for what a model makes of a text depends, in its last digits, on what it reads along
with it: a chunk that was cut off is scored again as a whole.
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
from turnabout.scoring.base import Means, Pair, Reading, Score, Scorer

#: A line of JSON per pair that is done.
READINGS = "readings.jsonl"

#: Pairs read and kept at once.
CHUNK = 32


def part_of(out: Path) -> Path:
    """The folder that holds what is done until all is."""
    return out.with_name(out.name + ".part")


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """While it lasts nobody else writes to `out`, whose OUT.part is there from now on.

    Raises `DataError` where somebody does, `ConfigError` where nothing can be written there.
    """
    lock = FileLock(part_of(out) / "lock", timeout=0)
    try:
        part_of(out).mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise DataError(f"another run is writing {out} at this moment; wait for it, or give another --out") from error
    except OSError as error:
        raise ConfigError(f"--out: {out} cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


def begin(out: Path, settings: Mapping[str, Any]) -> Path:
    """The folder of a new or an interrupted run. Raises `DataError` where that had other settings and read anything."""
    part = part_of(out)
    known = part / "settings.json"
    if (part / READINGS).exists() and (came := read_json(known)) != settings:
        differing = sorted(key for key in {*came, *settings} if came.get(key) != settings.get(key))
        raise DataError(
            f"{part} holds a run that was begun with other settings ({', '.join(differing)}); "
            "run it with those, delete the folder, or give another --out"
        )
    write_json(settings, known)
    return part


def score_all(pairs: Sequence[Pair], scorer: Scorer, means: Means, out: Path) -> list[Score]:
    """Write one line per pair to `out`, in order, and give all scores; what OUT.part holds is not read again."""
    kept = part_of(out) / READINGS
    readings = _finished(kept, len(pairs))
    bar = tqdm(total=len(pairs), initial=len(readings), unit="pair", disable=None)
    with kept.open("a", encoding="utf-8") as file, bar:
        for start in range(len(readings), len(pairs), CHUNK):
            new = scorer.read(pairs[start : start + CHUNK], means)
            file.writelines(json.dumps(reading) + "\n" for reading in new)
            file.flush()
            os.fsync(file.fileno())
            readings += new
            bar.update(len(new))
    scores = scorer.settle(readings)
    write_text("".join(_line(pair, score) for pair, score in zip(pairs, scores, strict=True)), out)
    shutil.rmtree(part_of(out))
    return scores


def _line(pair: Pair, score: Score) -> str:
    row = {"id": pair.id, "score_a": score.a, "score_b": score.b, "prefer": score.prefer}
    return json.dumps(row, ensure_ascii=False) + "\n"


def _finished(kept: Path, n_pairs: int) -> list[Reading]:
    """The readings of whole chunks; whatever comes after them in the file is cut off."""
    if not kept.exists():
        return []
    lines = kept.read_bytes().splitlines(keepends=True)
    whole = [line for line in lines if line.endswith(b"\n")]
    if len(whole) < n_pairs:
        whole = whole[: len(whole) // CHUNK * CHUNK]
    os.truncate(kept, sum(map(len, whole)))
    return [json.loads(line) for line in whole]


def fingerprint(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
