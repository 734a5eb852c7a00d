"""Run the snippets of the documents, and check that none is left out.

Every snippet and command is run, checked, or listed in `tables.py` with the reason why not.

This file runs the Python and JSON blocks, and counts (`pytest -s tests/promises`): when it was written, 35 snippets (7
run, 25 validated, 3 listed) and 90 commands (81 checked, of which 28 call a subcommand that is run; 9 listed).
`test_settings.py` validates the YAML blocks, `test_command_lines.py` checks the commands against their parsers, and
`test_commands.py` (slow) runs the subcommands in a small project.
"""

import ast
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import openai
import polars as pl
import pytest
import yaml

from stages import clean, ingest
from tests.promises.documents import (
    DOCUMENTS,
    list_anchors,
    read_blocks,
    read_commands,
    read_links,
    read_text,
    split_words,
)
from tests.promises.tables import (
    JSON_BLOCKS,
    LISTED_BLOCKS,
    LISTED_COMMANDS,
    PYTHON_BLOCKS,
    RUN_BLOCKS,
    RUN_COMMANDS,
    find_reason,
)
from tests.served_user import ask_twice_then_end, serve_player
from tests.source_tree import ROOT
from turnabout.cli import main
from turnabout.commands import COMMANDS
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.models.checkpoints import load_chat
from turnabout.serving.user_player import UserPlayer

SHIPPED = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
BLOCKS, COMMAND_LINES = read_blocks(), read_commands()
RUN = {*PYTHON_BLOCKS, *JSON_BLOCKS, *RUN_BLOCKS}


def test_every_block_is_run_checked_or_listed() -> None:
    # YAML blocks are validated and the lines of console blocks are commands; all other blocks are in a table.
    keys = [block.key for block in BLOCKS if block.language not in ("yaml", "console")]
    assert {*keys} - RUN - {*LISTED_BLOCKS} == set(), "run these blocks, or list them with a reason"
    assert (RUN | {*LISTED_BLOCKS}) - {*keys} == set(), "no document has these blocks"
    assert RUN & {*LISTED_BLOCKS} == set()
    assert len(keys) == len({*keys})


def test_every_command_is_checked_or_listed() -> None:
    checked = {"turnabout", "dvc", "make", "python -m", "source"}
    unknown = {command.text for command in COMMAND_LINES if command.program not in checked}
    assert {text for text in unknown if find_reason(text) is None} == set(), "check these commands, or list them"
    texts = [command.text for command in COMMAND_LINES]
    stale = [words for words in LISTED_COMMANDS if not any(text.startswith(words) for text in texts)]
    assert stale == [], "no document has these commands"


def test_every_subcommand_is_run_in_the_small_project_or_listed() -> None:
    texts = [command.text for command in COMMAND_LINES if command.program == "turnabout"]
    named = {split_words(text)[1] for text in texts if find_reason(text) is None} - {"--help"}
    assert named - {*RUN_COMMANDS} == set(), "run these commands in test_commands.py, or list them with a reason"
    assert {*RUN_COMMANDS} - {*COMMANDS} == set()


def test_counts_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    texts = {command.text for command in COMMAND_LINES}
    n_listed = sum(find_reason(text) is not None for text in texts)
    n_run = sum(text.startswith("turnabout ") and split_words(text)[1] in RUN_COMMANDS for text in texts)
    n_blocks = len([block for block in BLOCKS if block.language != "console"])
    with capsys.disabled():
        print(
            f"\npromises: {n_blocks} snippets ({len(RUN)} run, {n_blocks - len(RUN) - len(LISTED_BLOCKS)} validated, "
            f"{len(LISTED_BLOCKS)} listed); {len(texts)} commands ({len(texts) - n_listed} checked, of which {n_run} "
            f"call a subcommand that is run; {n_listed} listed); {len(read_links())} links"
        )
    assert n_run > 20


def find_blocks(document: str, language: str) -> list[str]:
    return [block.text for block in BLOCKS if (block.document, block.language) == (document, language)]


def test_miner_of_contributing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = find_blocks("CONTRIBUTING.md", "python")
    module = ModuleType("shouting")
    monkeypatch.setitem(sys.modules, "shouting", module)
    exec(compile(code, "CONTRIBUTING.md", "exec"), module.__dict__)
    assert module.Shouting().min_share == 0.8  # tests/test_contributing.py mines with it


def test_client_of_serving_gets_the_users_next_turn(tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = find_blocks("docs/serving.md", "python")
    *statements, last = ast.parse(code).body
    assert isinstance(last, ast.Expr)
    with serve_player(UserPlayer(ScriptedGenerator(ask_twice_then_end), load_chat(tiny_checkpoint))) as url:
        client = openai.OpenAI
        monkeypatch.setattr(openai, "OpenAI", lambda base_url, **options: client(base_url=url, **options))
        names: dict[str, Any] = {}
        exec(compile(ast.Module(statements, []), "serving.md", "exec"), names)
        assert eval(compile(ast.Expression(last.value), "serving.md", "eval"), names) == "question 2?"


def test_log_of_the_readme_survives_ingest_and_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (log,), (sections,) = find_blocks("README.md", "json"), find_blocks("README.md", "yaml")
    conversation = json.loads(log)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "mine.jsonl").write_text(json.dumps(conversation) + "\n")
    (tmp_path / "evaluation_sets").mkdir()
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({**SHIPPED, **yaml.safe_load(sections)}))
    rejected, ledger, metrics = Path("rejected.parquet"), Path("ledger"), Path("metrics.json")
    ingest.main(
        Path("logs"), Path("forgotten.txt"), ingested=Path("in"), quarantine=rejected, ledger=ledger, metrics=metrics
    )
    assert pl.read_parquet("in/*.parquet").height == len(conversation["messages"])
    sets, dropped, ledger = Path("evaluation_sets"), Path("dropped.parquet"), Path("cleaned")
    clean.main(Path("in"), sets, messages=Path("out"), quarantine=dropped, ledger=ledger, metrics=metrics)
    kept = pl.read_parquet("out/*.parquet").sort("message_index")
    assert kept["text"].to_list() == [message["content"] for message in conversation["messages"]]
    assert kept["rating"].drop_nulls().to_list() == [1.0]
    assert (kept["user_key"].drop_nulls().unique().to_list(), kept["at"].null_count()) == (["ann"], 3)


def test_pairs_of_agreement_give_scores_of_the_form_that_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, score = find_blocks("docs/agreement.md", "json")
    monkeypatch.chdir(tmp_path)
    Path("pairs.jsonl").write_text(pair)
    with pytest.raises(SystemExit) as ended:
        main(["score", "pairs.jsonl", "--by", "length", "--out", "scores.jsonl"])
    assert ended.value.code == 0
    written, shown = json.loads(Path("scores.jsonl").read_text()), json.loads(score)
    assert (list(written), written["id"], written["prefer"]) == (list(shown), shown["id"], "b")


@pytest.mark.parametrize(("document", "target"), sorted({*read_links()}))
def test_link_leads_to_a_file_and_a_heading(document: str, target: str) -> None:
    if target.startswith(("http://", "https://")):
        return
    name, _, anchor = target.partition("#")
    path = (ROOT / document).parent / name if name else ROOT / document
    assert path.exists()
    assert not anchor or anchor in list_anchors(path)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_source_file_that_is_named_exists(document: str) -> None:
    # A path may begin at the root, in the package, or in a folder of the package that the text is about.
    names = set(re.findall(r"`((?:\w+/)+[a-z_]\w*\.(?:py|yaml|jsonl|txt|css))`", read_text(document)))
    made = ("labels/", "metrics/", "logs/", "follow_ups/")  # what the reader's project has later
    for name in names - {"src/turnabout/feedback/miners/shouting.py"}:
        assert name.startswith(made) or (ROOT / name).exists() or [*(ROOT / "src").rglob(name)], name
