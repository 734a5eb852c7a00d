"""Damaged records of every log format.

Each record must end in messages or in quarantine. Tens of thousands of records are damaged and read.
"""

import argparse
import json
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.log_samples import build_samples
from turnabout.core import schemas
from turnabout.sources.detection import RECORD_FORMATS, suggest_format

#: Replacements for a value: wrong types, extreme numbers and times, and characters that often cause trouble.
WRONG: tuple[Any, ...] = (
    None, True, 0, -1, 2**63, 10**30, 10**400, 1e308, -5e-324, "", "x", "\x00", "\u202e\ufeff\U0001f600", "9999-99-99",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1850-01-01T00:00:00Z", "nan", [], {}, [None], [[]],
    {"": None}, {"role": "user"}, ["text", 5, {}],
)  # fmt: skip


class OutcomeCount(NamedTuple):
    """Counts of what happened to the records of one format."""

    n_records: int
    n_in_messages: int
    n_quarantined: int
    lost: list[int]
    """Numbers of records that are neither in messages nor in quarantine."""
    n_reasons: int


def list_positions(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container in a JSON value with each of its keys or indexes."""
    keys = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield tree, key
        yield from list_positions(tree[key])


def damage_record(record: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Return the record with one to three of its values damaged.

    A value is replaced by a wrong one, deleted or doubled, or an unknown key is put beside it.
    """
    for _ in range(chance.randint(1, 3)):
        positions = list(list_positions(record))
        if not positions:
            break
        container, key = chance.choice(positions)
        act = chance.randrange(6)
        if act == 0:
            del container[key]
        elif act == 1 and isinstance(container, list):
            container.append(deepcopy(container[key]))
        elif act == 2 and isinstance(container, dict):
            container[chance.choice(["extra", "text", "error", "body"])] = deepcopy(chance.choice(WRONG))
        else:
            container[key] = deepcopy(chance.choice(WRONG))
    return record


def build_nested_lists(depth: int) -> bytes:
    """Return JSON lists nested `depth` deep."""
    return b"[" * depth + b"]" * depth


#: Damage to the bytes of a line.
DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    lambda line, chance: line[: chance.randrange(len(line))],
    lambda line, chance: line[chance.randrange(len(line)) :],
    lambda line, chance: _overwrite_byte(line, bytes([chance.randrange(256)]), chance).replace(b"\n", b" "),
    lambda line, chance: _overwrite_byte(
        line, chance.choice([b"\x00", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"\\", b'"']), chance
    ),
    lambda line, chance: line.replace(b'": "', b'": "\\ud83d', 1),
    lambda line, chance: b"\xef\xbb\xbf" + line + b"\r",
    lambda line, chance: line + line,
    lambda line, chance: (
        line[:-1] + b', "deep": ' + build_nested_lists(chance.choice([10, 400, 900, 990, 5_000, 100_000])) + b"}"
    ),
    lambda line, chance: (
        line[:-1] + b', "not": ' + chance.choice([b"NaN", b"-Infinity", b"1e999", b"01", b"'x'"]) + b"}"
    ),
    lambda line, chance: line[:-1] + b', "huge": ' + b"9" * chance.choice([20, 400, 5_000]) + b"}",
    lambda line, chance: b" \t",
    lambda line, chance: line,
)


def _overwrite_byte(line: bytes, replacement: bytes, chance: random.Random) -> bytes:
    index = chance.randrange(len(line))
    return line[:index] + replacement + line[index + 1 :]


def format_mark(number: int) -> str:
    """Return the mark that identifies a record in its texts."""
    return f"m{number:07}m"


def build_damaged_lines(format_: str, n: int, seed: int) -> list[bytes]:
    """Return damaged records, one a line; one in ten is of another format."""
    chance = random.Random(f"{seed} {format_}")
    lines: list[bytes] = []
    for number in range(n):
        known = build_samples(format_mark(number))
        record = known[format_ if chance.random() < 0.9 else chance.choice(sorted(known))]
        if chance.random() < 0.5:
            record = damage_record(record, chance)
        line = json.dumps(record, ensure_ascii=chance.random() < 0.5).encode()
        if chance.random() < 0.5:
            line = chance.choice(DAMAGES)(line, chance)
        lines.append(line.replace(b"\n", b" "))
    return lines


def count_outcomes(format_: str, folder: Path, lines: list[bytes]) -> OutcomeCount:
    """Read the lines as a log of the format and count where each record ended."""
    (folder / "log.jsonl").write_bytes(b"\n".join(lines))
    source = RECORD_FORMATS[format_].model_validate({"format": format_, "path": str(folder / "log.jsonl")})
    (piece,) = source.list_pieces()
    in_messages, quarantined, reasons = set[int](), set[int](), set[str]()
    for batch in source.read_batches(piece, suggest_format):
        schemas.check(batch.messages, schemas.MESSAGES, format_)
        texts = batch.messages.select("conversation_id", "text", "alternatives", "edited_text", "user_key", "extras")
        in_messages |= _find_marks(texts.write_ndjson())
        quarantined |= {int(record.rpartition(":")[2]) - 1 for record in batch.quarantine["record"]}
        reasons |= set(batch.quarantine["reason"])
    wanted = {number for number, line in enumerate(lines) if line.strip(b" \t\r\n")}
    lost = sorted(wanted - in_messages - quarantined)
    return OutcomeCount(
        n_records=len(wanted),
        n_in_messages=len(in_messages - quarantined),
        n_quarantined=len(quarantined),
        lost=lost,
        n_reasons=len(reasons),
    )


def _find_marks(text: str) -> set[int]:
    return {int(number) for number in re.findall(r"m(\d{7})m", text)}


def main() -> None:
    """Read damaged records of every format and print their counts."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--lines", type=int, default=50_000, help="damaged records, of all formats together")
    cli.add_argument("--seed", type=int, default=0)
    options = cli.parse_args()
    n_per_format = options.lines // len(RECORD_FORMATS)
    total, lost = 0, []
    for format_ in RECORD_FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            outcome = count_outcomes(format_, Path(folder), build_damaged_lines(format_, n_per_format, options.seed))
        total += outcome.n_records
        lost += [(format_, number) for number in outcome.lost]
        seconds = time.perf_counter() - began
        print(
            f"{format_:17}{outcome.n_records:7,} records: {outcome.n_in_messages:6,} in messages, "
            f"{outcome.n_quarantined:6,} in quarantine for {outcome.n_reasons:4} reasons, "
            f"{len(outcome.lost)} in neither, {seconds:.1f} s"
        )
    assert not lost, f"in neither messages nor quarantine: {lost[:10]}"
    print(f"{total:,} damaged records, each in messages or in quarantine")


if __name__ == "__main__":
    main()
