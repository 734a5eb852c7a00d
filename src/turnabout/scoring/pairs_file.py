"""Files of pairs: every line is checked before any pair is scored."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from turnabout.errors import DataError
from turnabout.scoring.base import Pair
from turnabout.sources.reading.records import Record, read_records

#: Largest number of bad lines that an error lists.
MAX_LISTED = 20

FORM = '{"id": "1", "prompt": [{"role": "user", "content": "…"}], "a": "…", "b": "…"}'


class PromptMessage(msgspec.Struct):
    """A message of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


class PairLine(msgspec.Struct):
    """Form of a line of the file; other fields are ignored."""

    id: Annotated[str, msgspec.Meta(min_length=1)] | int
    prompt: Annotated[list[PromptMessage], msgspec.Meta(min_length=1)]
    a: str
    b: str
    checklist: tuple[str, ...] = ()


def read_pairs_file(path: Path, *, needs_checklist: bool) -> list[Pair]:
    """Read the pairs of a file of JSON lines, in order.

    The file may be packed as .gz or .zst. `needs_checklist` says whether every pair must have one. Raises `DataError`
    that lists the bad lines and the form of a good one.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; give JSON lines, one pair a line: {FORM}")
    pairs: dict[str | int, Pair] = {}
    locations: dict[str | int, str] = {}
    errors = []
    for record in read_records(path):
        pair = _parse_pair(record, needs_checklist)
        if isinstance(pair, str):
            errors.append(f"{record.location}: {pair}")
        elif pair.id in pairs:
            errors.append(f"{record.location}: id {pair.id!r} is used at {locations[pair.id]} already; ids must differ")
        else:
            pairs[pair.id], locations[pair.id] = pair, record.location
    if errors:
        more = f"\n  and {len(errors) - MAX_LISTED} more" if len(errors) > MAX_LISTED else ""
        listed = "\n  ".join(errors[:MAX_LISTED])
        raise DataError(f"{len(errors)} bad lines; nothing was scored. Each must be like {FORM}\n  {listed}{more}")
    if not pairs:
        raise DataError(f"{path}: holds no pairs; give one a line: {FORM}")
    return list(pairs.values())


def _parse_pair(record: Record, needs_checklist: bool) -> Pair | str:
    """Return the pair of a record, or its error."""
    if record.error is not None:
        return record.error
    try:
        line = msgspec.convert(record.content, PairLine)
    except msgspec.ValidationError as error:
        return str(error)
    return next(_check_line(line, needs_checklist), None) or Pair(**msgspec.to_builtins(line))


def _check_line(line: PairLine, needs_checklist: bool) -> Iterator[str]:
    roles = [message.role for message in line.prompt]
    if "system" in roles[1:]:
        yield f"prompt: a system message may only come first; the roles are {roles}"
    if roles[-1] != "user":
        yield f"prompt: the last message must be the user's, which `a` and `b` answer; its role is {roles[-1]!r}"
    if needs_checklist and not line.checklist:
        yield 'needs the field `checklist`, such as ["Say when you open."]'
