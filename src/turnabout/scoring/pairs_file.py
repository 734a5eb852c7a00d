"""Files of pairs: every line checked before anything is scored, every bad one told by its number."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from turnabout.errors import DataError
from turnabout.scoring.base import Pair
from turnabout.sources.reading.records import Record, records

#: Bad lines told one by one.
TOLD = 20

FORM = '{"id": "1", "prompt": [{"role": "user", "content": "…"}], "a": "…", "b": "…"}'


class Said(msgspec.Struct):
    """A message of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


class Line(msgspec.Struct):
    """A pair as its line must be; other fields are ignored."""

    id: Annotated[str, msgspec.Meta(min_length=1)] | int
    prompt: Annotated[list[Said], msgspec.Meta(min_length=1)]
    a: str
    b: str
    checklist: tuple[str, ...] = ()


def read_pairs(path: Path, checklist: bool) -> list[Pair]:
    """The pairs of a file of JSON lines, also packed as .gz or .zst, in order.

    Raises `DataError` that names every bad line and what was expected; `checklist` says whether pairs need one.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; give JSON lines, one pair a line: {FORM}")
    pairs: dict[str | int, tuple[str, Pair]] = {}
    faults = []
    for record in records(path):
        pair = _pair(record, checklist)
        if isinstance(pair, str):
            faults.append(f"{record.where}: {pair}")
        elif pair.id in pairs:
            faults.append(f"{record.where}: id {pair.id!r} stands at {pairs[pair.id][0]} already; ids must differ")
        else:
            pairs[pair.id] = record.where, pair
    if faults:
        more = f"\n  and {len(faults) - TOLD} more" if len(faults) > TOLD else ""
        told = "\n  ".join(faults[:TOLD])
        raise DataError(f"{len(faults)} bad lines; nothing was scored. Each must be like {FORM}\n  {told}{more}")
    if not pairs:
        raise DataError(f"{path}: holds no pairs; give one a line: {FORM}")
    return [pair for _, pair in pairs.values()]


def _pair(record: Record, checklist: bool) -> Pair | str:
    """The pair, or what is wrong with it."""
    if record.fault is not None:
        return record.fault
    try:
        line = msgspec.convert(record.content, Line)
    except msgspec.ValidationError as error:
        return str(error)
    return next(_faults(line, checklist), None) or Pair(**msgspec.to_builtins(line))


def _faults(line: Line, checklist: bool) -> Iterator[str]:
    roles = [said.role for said in line.prompt]
    if "system" in roles[1:]:
        yield f"prompt: a system message may only come first; came {roles}"
    if roles[-1] != "user":
        yield f"prompt: the last message must be the user's, whom `a` and `b` answer; came {roles[-1]!r}"
    if checklist and not line.checklist:
        yield 'needs the field `checklist`, such as ["Say when you open."]'
