"""What a stage writes that must be the same bytes in every run: all but the figures of its cost."""

import json
from pathlib import Path

import polars as pl

#: Differ from run to run: a key of metrics, and a column of curves.
COST, SPEED = "cost", "tokens_per_second"


def lasting_bytes(file: Path) -> bytes:
    """The file's content without seconds, memory and speed."""
    content = file.read_bytes()
    if file.suffix == ".json" and COST in (told := json.loads(content)):
        return json.dumps({name: value for name, value in told.items() if name != COST}).encode()
    if file.suffix == ".csv" and SPEED in content.partition(b"\n")[0].decode().split(","):
        return pl.read_csv(content).drop(SPEED).write_csv().encode()
    return content
