"""Speed and memory of ingest, clean and mine (rules), beside peers.

    python -m benchmarks.ingest [--messages 1000000] [--peer-messages 100000] [--data-juicer PYTHON]
    python -m benchmarks.ingest --memory [--messages 10000000]

The first command runs the stages as processes on a synthetic log (`benchmarks.synthetic_log`), with the shipped
settings and with the steps that the peers also have. The peers run on a slice of the log, on which ours runs too: the
same steps in `datasets.map` (`benchmarks.datasets_map`), which must give the same conversations, texts and signals;
and, with the interpreter of an environment that holds it, data-juicer (`benchmarks.data_juicer` says which operators
and how to make such an environment), which does less. All of them may use two processes or threads.

The second command measures the peak memory of each stage with the shipped settings, and the cost of one more day with
1 % of the messages.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from benchmarks import data_juicer
from benchmarks.process_tree import ROOT, Usage, run_command, sum_usage
from benchmarks.synthetic_log import write_days
from turnabout.core.incremental import LEDGER
from turnabout.core.io import list_part_files, read_json

SEED, PROCESSES = 1, 2
#: Files of the log for the speed benchmark and of that for the memory benchmark.
DAYS, DAYS_FOR_MEMORY = 4, 10
STAGES = ("ingest", "clean", "mine")
SIGNAL = ["conversation_id", "reply_index", "rule", "span"]


def main() -> None:
    """Measure speed, or memory with `--memory`."""
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--messages", type=int, help="messages of the log (1,000,000; with --memory 10,000,000)")
    cli.add_argument("--peer-messages", type=int, default=100_000, help="messages of the slice that peers run on")
    cli.add_argument("--data-juicer", metavar="PYTHON", help="interpreter of an environment that holds data-juicer")
    cli.add_argument("--memory", action="store_true", help="measure memory instead")
    cli.add_argument("--folder", type=Path, help="where the log and all tables go, and are deleted again")
    options = cli.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="benchmark-") as folder:
        if options.memory:
            measure_memory(Path(folder), options.messages or 10_000_000)
        else:
            measure_speed(Path(folder), options.messages or 1_000_000, options.peer_messages, options.data_juicer)


def measure_speed(folder: Path, n_messages: int, n_peer_messages: int, python: str | None) -> None:
    """Print seconds and messages per second of the stages and the peers."""
    logs, slice_logs = folder / "logs", folder / "slice" / "logs"
    n_messages = write_days(logs, range(DAYS), n_messages // DAYS, SEED)
    n_slice = write_days(slice_logs, range(DAYS), min(n_messages, n_peer_messages) // DAYS, SEED)
    n_bytes = sum(path.stat().st_size for path in logs.iterdir())
    print(f"log: {n_messages:,} messages, {n_bytes / 1e6:,.0f} MB of JSON lines in {DAYS} files; slice: {n_slice:,}")
    shipped = run_stages(logs, folder / "shipped", load_shipped_settings(logs))
    print_usage("ours, the settings that ship", n_messages, shipped)
    plain = run_stages(logs, folder / "plain", load_peer_settings(logs, folder))
    rate = print_usage("ours, the peers' steps", n_messages, plain)
    on_slice = run_stages(slice_logs, folder / "ours", load_peer_settings(slice_logs, folder))
    slice_rate = print_usage("ours, the peers' steps on the slice", n_slice, on_slice)
    mapped = run_datasets_map(slice_logs, folder / "datasets")
    check_same_results(folder / "ours", folder / "datasets")
    print_comparison("datasets.map, on the slice", n_slice, mapped, rate=rate, slice_rate=slice_rate)
    if python is None:
        print("data-juicer: not compared; give --data-juicer PYTHON, benchmarks/data_juicer.py says how to have it")
        return
    cleaned = data_juicer.clean_messages(python, sorted(slice_logs.iterdir()), folder / "data_juicer", PROCESSES)
    print_comparison("data-juicer, on the slice", n_slice, cleaned, rate=rate, slice_rate=slice_rate)


def measure_memory(folder: Path, n_messages: int) -> None:
    """Print seconds and memory of each stage, then the same after one more day."""
    logs, settings = folder / "logs", load_shipped_settings(folder / "logs")
    n_per_day = n_messages // DAYS_FOR_MEMORY
    n_messages = write_days(logs, range(DAYS_FOR_MEMORY), n_per_day, seed=SEED, suffix=".jsonl.zst")
    print(f"log: {n_messages:,} messages in {DAYS_FOR_MEMORY} files of JSON lines, packed by zstd")
    whole = run_stages(logs, folder / "tables", settings)
    print_usage("from nothing", n_messages, whole)
    n_more = write_days(logs, [DAYS_FOR_MEMORY], n_messages // 100, seed=SEED, suffix=".jsonl.zst")
    keys = read_build_keys(folder / "tables")
    more = run_stages(logs, folder / "tables", settings)
    if keys != read_build_keys(folder / "tables"):
        raise RuntimeError("the code of a stage changed during the run, so the stage started anew: measure again")
    print_usage(f"one more day of {n_more:,}", n_more, more)
    for stage, before, after in zip(
        (*STAGES, "all"), (*whole, sum_usage(whole)), (*more, sum_usage(more)), strict=True
    ):
        print(f"  {stage}: one more day takes {after.seconds / before.seconds:.1%} of the time")


def read_build_keys(tables: Path) -> list[str]:
    """Return the build keys of the incremental stages.

    A build key identifies settings and code.
    """
    return [read_json(tables / f"{stage}_ledger" / LEDGER)["key"] for stage in ("ingest", "clean")]


def run_stages(logs: Path, folder: Path, settings: dict[str, Any]) -> list[Usage]:
    """Run the three stages on a folder of logs.

    The stages reuse what `folder` already holds, as far as they can.
    """
    folder.mkdir(parents=True, exist_ok=True)
    params = folder / "params.yaml"
    params.write_text(yaml.safe_dump(settings), encoding="utf-8")
    (folder / "forgotten.txt").touch()
    paths = {
        "ingest": {
            "watch": logs,
            "forgotten": "forgotten.txt",
            "ingested": "ingested",
            **list_incremental_outputs("ingest"),
        },
        "clean": {
            "ingested": "ingested",
            "evaluation-sets": settings["clean"]["decontaminate"],
            "messages": "messages",
            **list_incremental_outputs("clean"),
        },
        "mine": {"messages": "messages", "feedback": "feedback.parquet", "labels": "labels"},
    }
    return [
        run_command(build_stage_command(stage, folder, paths[stage], params), folder / f"{stage}.log")
        for stage in STAGES
    ]


def list_incremental_outputs(stage: str) -> dict[str, str]:
    """Return the paths of an incremental stage's other outputs."""
    return {"quarantine": f"{stage}_quarantine.parquet", "ledger": f"{stage}_ledger"}


def build_stage_command(stage: str, folder: Path, paths: dict[str, str | Path], params: Path) -> list[str]:
    """Return the command line of a stage; relative paths are in `folder`."""
    options: list[str] = []
    for name, path in {**paths, "metrics": f"{stage}.json", "params": params}.items():
        options += [f"--{name}", str(folder / path)]
    return [sys.executable, "-m", f"stages.{stage}", *options]


def load_shipped_settings(logs: Path) -> dict[str, Any]:
    """Return `params.yaml` with this log and only the miner `rules`."""
    settings: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    settings["ingest"] = {"watch": str(logs), "sources": [{"format": "openai", "path": str(logs)}]}
    settings["clean"]["decontaminate"] = str(ROOT / settings["clean"]["decontaminate"])
    settings["mine"]["miners"] = [{"miner": "rules"}]
    return settings


def load_peer_settings(logs: Path, folder: Path) -> dict[str, Any]:
    """Return the shipped settings without steps that the peers lack."""
    settings = load_shipped_settings(logs)
    no_sets = folder / "no_evaluation_sets"
    no_sets.mkdir(exist_ok=True)
    off = {"max_conversations_per_person": None, "languages": None, "toxicity": False, "templates": None}
    settings["clean"] |= off | {"near_duplicates": None, "decontaminate": str(no_sets)}
    return settings


def run_datasets_map(logs: Path, folder: Path) -> Usage:
    """Run the same steps in `datasets.map`."""
    folder.mkdir()
    quiet = {"HF_DATASETS_CACHE": str(folder / "cache"), "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    command = [sys.executable, "-m", "benchmarks.datasets_map", str(logs), str(folder), str(PROCESSES)]
    return run_command(command, folder / "datasets.log", quiet)


def check_same_results(own_folder: Path, peer_folder: Path) -> None:
    """Check that both have the same conversations, texts and signals.

    Raises AssertionError where they differ.
    """
    texts = pl.read_parquet(list_part_files(own_folder / "messages")).select("conversation_id", "role", "text")
    peer_messages = pl.read_parquet(peer_folder / "messages.parquet").select("conversation_id", "messages")
    peer_texts = peer_messages.explode("messages").select(
        "conversation_id",
        role=pl.col("messages").struct.field("role"),
        text=pl.col("messages").struct.field("content"),
    )
    assert texts.equals(peer_texts), "other conversations or texts"
    own_signals = pl.read_parquet(own_folder / "feedback.parquet").filter(miner="rules").select(SIGNAL).sort(SIGNAL)
    peer_signals = (
        pl.read_parquet(peer_folder / "feedback.parquet").explode("signals").unnest("signals").drop_nulls("rule")
    )
    assert own_signals.equals(peer_signals.select(SIGNAL).sort(SIGNAL), null_equal=True), "other signals"
    n_scrubbed = sum(read_json(own_folder / "clean.json")["scrubbed_by_kind"].values())
    print(
        f"the same from both: {peer_messages.height:,} conversations, {texts.height:,} texts, "
        f"{n_scrubbed:,} values scrubbed, {own_signals.height:,} signals"
    )


def print_usage(name: str, n_messages: int, runs: list[Usage]) -> float:
    """Print the usage of the stages; return messages per second."""
    everything = sum_usage(runs)
    print(f"{name}: {format_usage(everything, n_messages)}")
    for stage, one in zip(STAGES, runs, strict=True):
        print(f"  {stage}: {format_usage(one, n_messages)}")
    return n_messages / everything.seconds


def print_comparison(name: str, n_messages: int, peer: Usage, *, rate: float, slice_rate: float) -> None:
    """Print a peer's usage on the slice and the ratio to our rates.

    `slice_rate` is our rate on the slice, `rate` that on the whole log.
    """
    theirs = n_messages / peer.seconds
    print(f"{name}: {format_usage(peer, n_messages)}; ours is {slice_rate / theirs:.1f} times as fast there, ", end="")
    print(f"{rate / theirs:.1f} times on the whole log")


def format_usage(usage: Usage, n_messages: int) -> str:
    """Return seconds, messages per second and memory as text."""
    memory = f"at most {usage.resident_bytes / 2**20:,.0f} MB resident, {usage.own_bytes / 2**20:,.0f} MB without files"
    return f"{usage.seconds:,.1f} s, {n_messages / usage.seconds:,.0f} messages/s, {memory}"


if __name__ == "__main__":
    main()
