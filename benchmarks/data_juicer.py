"""Operators of data-juicer that are nearest to the steps of this project.

They run on the messages of a log as separate texts. They replace e-mail addresses, links, IP addresses, keys and phone
numbers, which they recognise by their form, and drop empty and equal texts. They know no conversations: they have no
numbered placeholders, no checksums, no names or addresses, no filter for repeated or short conversations, and no
feedback. data-juicer needs other package versions than this project, so it has an environment of its own, into which
it installs more (torch, ray) when it first runs:

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
#: Placeholders that the operators insert.
PLACEHOLDER = r"<(?:email|url|ip)>|\[(?:\w+_)?REDACTED\]"

SCRIPT = "from data_juicer.tools.process_data import main; main()"


def clean_messages(python: str, logs: Iterable[Path], folder: Path, processes: int) -> Usage:
    """Run the operators on all messages by data-juicer's interpreter.

    A first run on a few messages installs packages; it is not measured.
    """
    texts = []
    for log in logs:
        for record in _read_records(log):
            texts += [message["content"] for message in record["messages"]]
    _run_operators(python, texts[:100], folder / "first", processes)
    usage = _run_operators(python, texts, folder / "all", processes)
    kept = pl.read_ndjson(folder / "all" / "clean.jsonl")["text"]
    n_replaced = kept.str.contains(PLACEHOLDER).sum()
    print(f"data-juicer: {kept.len():,} of {len(texts):,} texts left, {n_replaced:,} of them with something replaced")
    return usage


def _read_records(log: Path) -> Iterable[dict[str, list[dict[str, str]]]]:
    return map(msgspec.json.decode, log.read_bytes().splitlines())


def _run_operators(python: str, texts: Iterable[str], folder: Path, processes: int) -> Usage:
    folder.mkdir(parents=True)
    texts_file, recipe = folder / "texts.jsonl", folder / "recipe.yaml"
    texts_file.write_bytes(b"\n".join(msgspec.json.encode({"text": text}) for text in texts))
    settings = {"dataset_path": str(texts_file), "export_path": str(folder / "clean.jsonl"), "np": processes}
    recipe.write_text(yaml.safe_dump({**settings, "process": list(OPERATORS)}), encoding="utf-8")
    caches = {name: str(folder / "cache") for name in ("HF_DATASETS_CACHE", "DATA_JUICER_CACHE_HOME")}
    return run_command([python, "-c", SCRIPT, "--config", str(recipe)], folder / "data_juicer.log", caches)
