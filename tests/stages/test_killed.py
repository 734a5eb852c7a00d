"""The real processes of ingest and clean, killed at moments that a fixed seed draws: the rerun gives the same bytes."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from stages import clean, ingest
from tests.source_tree import ROOT
from turnabout.core import parquet_parts

#: Row groups of 20 conversations, and a few of them a part.
GROUP_WEIGHT, PART_BYTES = 40, 9_000

SCRIPT = f"""
from tests.stages.test_killed import parquet_parts, run_stages
parquet_parts.GROUP_WEIGHT, parquet_parts.PART_BYTES = {GROUP_WEIGHT}, {PART_BYTES}
print("ready", flush=True)
run_stages()
"""


def run_stages() -> None:
    """Both stages on the project in the current folder."""
    data = Path("data")
    ingest.main(
        Path("logs"),
        Path("forgotten.txt"),
        ingested=data / "in",
        quarantine=data / "in_quarantine.parquet",
        ledger=data / "in_ledger",
        metrics=data / "in.json",
    )
    clean.main(
        data / "in",
        Path("sets"),
        messages=data / "out",
        quarantine=data / "out_quarantine.parquet",
        ledger=data / "out_ledger",
        metrics=data / "out.json",
    )


def kill_after(seconds: float) -> None:
    """Start both stages in a process of their own, and kill it so long after it began to work."""
    command = [sys.executable, "-c", SCRIPT]
    with subprocess.Popen(command, env={"PYTHONPATH": str(ROOT)}, stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(seconds)
        process.kill()


def write_days(n_days: int) -> None:
    """Days of 400 conversations, of which a quarter were said the day before."""
    Path("logs").mkdir(exist_ok=True)
    for day in range(3):
        path = Path("logs", f"{day}.jsonl")
        path.unlink(missing_ok=True)
        talks = []
        for n in range(400):
            contents = [{"role": "user", "content": f"hi {n + 300 * day}"}, {"role": "assistant", "content": "yo"}]
            talks.append(json.dumps({"conversation_id": f"{day}:{n}", "user_id": f"u{n}", "messages": contents}) + "\n")
        if day < n_days:
            path.write_text("".join(talks))


def written() -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in sorted(Path("data").rglob("*")) if file.is_file()}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project in the current folder, with small parts."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["ingest"] = {"watch": "logs", "sources": [{"format": "openai", "path": "logs"}]}
    off = {"languages": None, "toxicity": False, "templates": None, "near_duplicates": None}
    params["clean"] |= {"min_messages": 1, "max_conversations_per_person": 2, **off}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(parquet_parts, "GROUP_WEIGHT", GROUP_WEIGHT)
    monkeypatch.setattr(parquet_parts, "PART_BYTES", PART_BYTES)


@pytest.mark.slow
def test_a_rerun_after_a_kill_gives_the_bytes_of_an_undisturbed_run() -> None:
    """The log has two days, then three, then two, …: each run finds something to keep and something to do."""
    expected = {}
    for n_days in (2, 3):
        write_days(n_days)
        began = time.monotonic()
        run_stages()
        took = time.monotonic() - began
        expected[n_days] = written()
    moments = random.Random(1)
    for fifth, n_days in enumerate((2, 3, 2, 3, 2)):
        write_days(n_days)
        kill_after(took * (fifth + moments.random()) / 5)
        run_stages()
        assert written() == expected[n_days]
