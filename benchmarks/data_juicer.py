"""The operators of data-juicer nearest to ours, run on the messages of a log as texts.

They replace e-mail addresses, links, IP addresses, keys and phone numbers by their forms, and drop empty and equal
texts. They know no conversation: no numbered placeholders, no checksums, no names or addresses, no conversations that
repeat one another or are too short, no feedback. data-juicer needs other versions of packages than we do, so it has an
environment of its own, into which it installs more (torch, ray) when it first runs:

    python -m venv peers && peers/bin/pip install py-data-juicer==1.6.1 aiohttp
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec
import polars as pl
import yaml

from benchmarks.process_tree import Usage, run_command

OPERATORS: tuple[dict[str, dict[str, object]], ...] = (
    {"clean_email_mapper": {"repl": "<email>"}},
    {"clean_links_mapper": {"repl": "<url>"}},
    {"clean_ip_mapper": {"repl": "<ip>"}},
    {"pii_redaction_mapper": {}},
    {"text_length_filter": {"min_len": 1}},
    {"document_deduplicator": {"lowercase": False}},
)
#: What the operators put into a text for what they replaced.
PLACEHOLDER = r"<(?:email|url|ip)>|\[(?:\w+_)?REDACTED\]"

SCRIPT = "from data_juicer.tools.process_data import main; main()"


def clean_messages(python: str, logs: Iterable[Path], folder: Path, processes: int) -> Usage:
    """Run the operators on all messages with the interpreter that has data-juicer; a first run on a few is not told."""
    texts = [message["content"] for log in logs for row in _read_records(log) for message in row["messages"]]
    _run_operators(python, texts[:100], folder / "first", processes)
    taken = _run_operators(python, texts, folder / "all", processes)
    kept = pl.read_ndjson(folder / "all" / "clean.jsonl")["text"]
    n_replaced = kept.str.contains(PLACEHOLDER).sum()
    print(f"data-juicer: {kept.len():,} of {len(texts):,} texts left, {n_replaced:,} of them with something replaced")
    return taken


def _read_records(log: Path) -> Iterable[dict[str, list[dict[str, str]]]]:
    return map(msgspec.json.decode, log.read_bytes().splitlines())


def _run_operators(python: str, texts: Iterable[str], folder: Path, processes: int) -> Usage:
    folder.mkdir(parents=True)
    given, recipe = folder / "texts.jsonl", folder / "recipe.yaml"
    given.write_bytes(b"\n".join(msgspec.json.encode({"text": text}) for text in texts))
    settings = {"dataset_path": str(given), "export_path": str(folder / "clean.jsonl"), "np": processes}
    recipe.write_text(yaml.safe_dump({**settings, "process": list(OPERATORS)}), encoding="utf-8")
    caches = {name: str(folder / "cache") for name in ("HF_DATASETS_CACHE", "DATA_JUICER_CACHE_HOME")}
    return run_command([python, "-c", SCRIPT, "--config", str(recipe)], folder / "data_juicer.log", caches)
