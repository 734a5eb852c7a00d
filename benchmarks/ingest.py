"""Logs to clean messages with feedback: seconds and memory of the stages ingest, clean and mine (rules), beside peers.

    python -m benchmarks.ingest [--messages 1000000] [--peer-messages 100000] [--data-juicer PYTHON]
    python -m benchmarks.ingest --memory [--messages 10000000]

The first runs the stages as processes on a made-up log (`benchmarks.synthetic_log`), with the steps that the peers also
have and then with the settings that ship. Beside them, on a slice of the log that ours also runs on: the same steps in
`datasets.map` (`benchmarks.datasets_map`), which must give the same conversations, texts and signals; and, with the
interpreter of an environment that holds it, data-juicer (`benchmarks.data_juicer` says which operators and how to make
such an environment), which does less. All of them may use two processes or threads.

The second tells the most memory of each stage with the settings that ship, and what one more day of 1 % costs.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from benchmarks import data_juicer
from benchmarks.process_tree import ROOT, Run, run, total
from benchmarks.synthetic_log import write_days
from turnabout.core.incremental import LEDGER
from turnabout.core.io import list_part_files, read_json

SEED, PROCESSES = 1, 2
#: Files of the log for speed and of that for memory.
DAYS, DAYS_FOR_MEMORY = 4, 10
STAGES = ("ingest", "clean", "mine")
SIGNAL = ["conversation_id", "reply_index", "rule", "span"]


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--messages", type=int, help="messages of the log (1,000,000; with --memory 10,000,000)")
    cli.add_argument("--peer-messages", type=int, default=100_000, help="messages of the slice that peers run on")
    cli.add_argument("--data-juicer", metavar="PYTHON", help="interpreter of an environment that holds data-juicer")
    cli.add_argument("--memory", action="store_true", help="measure memory instead")
    cli.add_argument("--folder", type=Path, help="where the log and all tables go, and are deleted again")
    options = cli.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="benchmark-") as folder:
        if options.memory:
            memory(Path(folder), options.messages or 10_000_000)
        else:
            speed(Path(folder), options.messages or 1_000_000, options.peer_messages, options.data_juicer)


def speed(folder: Path, n_messages: int, n_peer_messages: int, python: str | None) -> None:
    """Print seconds and messages per second of ours and the peers."""
    logs, slice_logs = folder / "logs", folder / "slice" / "logs"
    n_messages = write_days(logs, range(DAYS), n_messages // DAYS, SEED)
    n_slice = write_days(slice_logs, range(DAYS), min(n_messages, n_peer_messages) // DAYS, SEED)
    n_bytes = sum(path.stat().st_size for path in logs.iterdir())
    print(f"log: {n_messages:,} messages, {n_bytes / 1e6:,.0f} MB of JSON lines in {DAYS} files; slice: {n_slice:,}")
    told("ours, the settings that ship", n_messages, ours(logs, folder / "shipped", shipped_settings(logs)))
    rate = told("ours, the peers' steps", n_messages, ours(logs, folder / "plain", plain_settings(logs, folder)))
    on_slice = ours(slice_logs, folder / "ours", plain_settings(slice_logs, folder))
    slice_rate = told("ours, the peers' steps on the slice", n_slice, on_slice)
    mapped = in_datasets(slice_logs, folder / "datasets")
    same(folder / "ours", folder / "datasets")
    compare("datasets.map, on the slice", n_slice, mapped, rate, slice_rate)
    if python is None:
        print("data-juicer: not compared; give --data-juicer PYTHON, benchmarks/data_juicer.py says how to have it")
        return
    cleaned = data_juicer.clean(python, sorted(slice_logs.iterdir()), folder / "data_juicer", PROCESSES)
    compare("data-juicer, on the slice", n_slice, cleaned, rate, slice_rate)


def memory(folder: Path, n_messages: int) -> None:
    """Print seconds and memory of each stage, then the same after one more day."""
    logs, settings = folder / "logs", shipped_settings(folder / "logs")
    of_day = n_messages // DAYS_FOR_MEMORY
    n_messages = write_days(logs, range(DAYS_FOR_MEMORY), of_day, SEED, ".jsonl.zst")
    print(f"log: {n_messages:,} messages in {DAYS_FOR_MEMORY} files of JSON lines, packed by zstd")
    whole = ours(logs, folder / "tables", settings)
    told("from nothing", n_messages, whole)
    n_more = write_days(logs, [DAYS_FOR_MEMORY], n_messages // 100, SEED, ".jsonl.zst")
    keys = ledger_keys(folder / "tables")
    more = ours(logs, folder / "tables", settings)
    if keys != ledger_keys(folder / "tables"):
        raise RuntimeError("code of a stage was changed meanwhile, so that it began anew: measure again")
    told(f"one more day of {n_more:,}", n_more, more)
    for stage, before, after in zip((*STAGES, "all"), (*whole, total(whole)), (*more, total(more)), strict=True):
        print(f"  {stage}: one more day takes {after.seconds / before.seconds:.1%} of the time")


def ledger_keys(tables: Path) -> list[str]:
    """What the stages that grow their tables hold to be settings and code."""
    return [read_json(tables / f"{stage}_ledger" / LEDGER)["key"] for stage in ("ingest", "clean")]


def ours(logs: Path, folder: Path, settings: dict[str, Any]) -> list[Run]:
    """Run the three stages on a folder of logs; what is in `folder` already is kept as far as the stages can use it."""
    folder.mkdir(parents=True, exist_ok=True)
    params = folder / "params.yaml"
    params.write_text(yaml.safe_dump(settings), encoding="utf-8")
    (folder / "forgotten.txt").touch()
    places = {
        "ingest": {"watch": logs, "forgotten": "forgotten.txt", "ingested": "ingested", **kept("ingest")},
        "clean": {
            "ingested": "ingested",
            "evaluation-sets": settings["clean"]["decontaminate"],
            "messages": "messages",
            **kept("clean"),
        },
        "mine": {"messages": "messages", "feedback": "feedback.parquet", "labels": "labels"},
    }
    return [run(stage_command(stage, folder, places[stage], params), folder / f"{stage}.log") for stage in STAGES]


def kept(stage: str) -> dict[str, str]:
    """What a stage that grows its tables writes besides them."""
    return {"quarantine": f"{stage}_quarantine.parquet", "ledger": f"{stage}_ledger"}


def stage_command(stage: str, folder: Path, places: dict[str, str | Path], params: Path) -> list[str]:
    """The command line of a stage; relative places are in `folder`."""
    everything = {**places, "metrics": f"{stage}.json", "params": params}
    options = [word for name, place in everything.items() for word in (f"--{name}", str(folder / place))]
    return [sys.executable, "-m", f"stages.{stage}", *options]


def shipped_settings(logs: Path) -> dict[str, Any]:
    """`params.yaml` with this log and the miner of the rules alone."""
    settings: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    settings["ingest"] = {"watch": str(logs), "sources": [{"format": "openai", "path": str(logs)}]}
    settings["clean"]["decontaminate"] = str(ROOT / settings["clean"]["decontaminate"])
    settings["mine"]["miners"] = [{"miner": "rules"}]
    return settings


def plain_settings(logs: Path, folder: Path) -> dict[str, Any]:
    """The same without the steps of `clean` that the peers do not have."""
    settings = shipped_settings(logs)
    no_sets = folder / "no_evaluation_sets"
    no_sets.mkdir(exist_ok=True)
    off = {"max_conversations_per_person": None, "languages": None, "toxicity": False, "templates": None}
    settings["clean"] |= off | {"near_duplicates": None, "decontaminate": str(no_sets)}
    return settings


def in_datasets(logs: Path, folder: Path) -> Run:
    """Run the same steps in `datasets.map`."""
    folder.mkdir()
    quiet = {"HF_DATASETS_CACHE": str(folder / "cache"), "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    command = [sys.executable, "-m", "benchmarks.datasets_map", str(logs), str(folder), str(PROCESSES)]
    return run(command, folder / "datasets.log", quiet)


def same(ours: Path, peer: Path) -> None:
    """Check that both kept the same conversations with the same texts, and found the same. Raises AssertionError."""
    texts = pl.read_parquet(list_part_files(ours / "messages")).select("conversation_id", "role", "text")
    their = pl.read_parquet(peer / "messages.parquet").select("conversation_id", "messages")
    their_texts = their.explode("messages").select(
        "conversation_id",
        role=pl.col("messages").struct.field("role"),
        text=pl.col("messages").struct.field("content"),
    )
    assert texts.equals(their_texts), "other conversations or texts"
    found = pl.read_parquet(ours / "feedback.parquet").filter(miner="rules").select(SIGNAL).sort(SIGNAL)
    signals = pl.read_parquet(peer / "feedback.parquet").explode("signals").unnest("signals").drop_nulls("rule")
    assert found.equals(signals.select(SIGNAL).sort(SIGNAL), null_equal=True), "other signals"
    n_scrubbed = sum(read_json(ours / "clean.json")["scrubbed_by_kind"].values())
    print(
        f"the same from both: {their.height:,} conversations, {texts.height:,} texts, {n_scrubbed:,} values scrubbed, "
        f"{found.height:,} signals"
    )


def told(name: str, n_messages: int, runs: list[Run]) -> float:
    """Print what the stages took; messages per second."""
    everything = total(runs)
    print(f"{name}: {line(everything, n_messages)}")
    for stage, one in zip(STAGES, runs, strict=True):
        print(f"  {stage}: {line(one, n_messages)}")
    return n_messages / everything.seconds


def compare(name: str, n_messages: int, peer: Run, rate: float, slice_rate: float) -> None:
    """Print what a peer took on the slice, and how it compares with our messages per second on all and on the slice."""
    theirs = n_messages / peer.seconds
    print(f"{name}: {line(peer, n_messages)}; ours is {slice_rate / theirs:.1f} times as fast there, ", end="")
    print(f"{rate / theirs:.1f} times on the whole log")


def line(taken: Run, n_messages: int) -> str:
    """Seconds, messages per second and memory."""
    memory = f"at most {taken.resident / 2**20:,.0f} MB resident, {taken.own / 2**20:,.0f} MB without files"
    return f"{taken.seconds:,.1f} s, {n_messages / taken.seconds:,.0f} messages/s, {memory}"


if __name__ == "__main__":
    main()
