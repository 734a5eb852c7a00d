"""Run the commands of the documents in one small project.

What the documents promise that they print and write is there.
"""

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import openai
import polars as pl
import pytest
import yaml

from benchmarks.arms import create_project as copy_graph
from benchmarks.arms import merge_params
from tests.promises.documents import read_blocks
from tests.promises.tables import RUN_BLOCKS, RUN_COMMANDS
from tests.smoke.graph import create_project, read_metrics
from tests.smoke.test_end_to_end import build_conversations, run_command
from tests.source_tree import ROOT
from tests.turnabout.commands.test_induce_rubric import answer
from turnabout.cli import main
from turnabout.core.io import read_json
from turnabout.feedback.miners import reaction_features
from turnabout.feedback.miners.criteria import load_criteria
from turnabout.feedback.miners.learned import load_weights
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.pipeline.repro import load_stage_graph

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


class Project(NamedTuple):
    """A small project after `turnabout run`, and what that printed."""

    root: Path
    printed: str


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, stopping_checkpoint: Path) -> Project:
    root = create_project(tmp_path_factory.mktemp("promises") / "project", stopping_checkpoint, build_conversations())
    shutil.copy(ROOT / "requirements.lock", root)
    return Project(root, run_command(root, "turnabout", "run"))


@pytest.fixture
def root(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the project's folder, the working directory; PATH has programs."""
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(project.root / ".site-cache"))
    return project.root


def call(*words: str) -> str:
    """Run `turnabout` with these words; return what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0, ended.value.code
    return printed.getvalue()


def find_block(key: tuple[str, str]) -> str:
    (text,) = [block.text for block in read_blocks() if block.key == key]
    return text


def test_every_subcommand_has_its_test() -> None:
    assert [test for test in RUN_COMMANDS.values() if test not in globals()] == []


def test_run_prints_the_numbers_of_the_readme(project: Project) -> None:
    def list_labels(text: str) -> list[str]:
        lines = re.findall(r"^(\d\. .*?)(?:: | trained)", text, re.MULTILINE)
        return [re.sub(r"\b(drift|follow_up)\b", "ARM", line) for line in lines]

    (key,) = [key for key in RUN_BLOCKS if key[0] == "README.md"]
    assert list_labels(project.printed) == list_labels(find_block(key))
    assert (project.root / "report" / "index.html").exists()


def test_second_run_has_nothing_to_do(root: Path) -> None:
    assert "nothing to do" in run_command(root, "turnabout", "run")


def test_dvc_finds_the_run_up_to_date_and_shows_it(root: Path) -> None:
    assert "Data and pipelines are up to date." in run_command(root, "dvc", "repro")
    commit = ["-c", "user.name=ann", "-c", "user.email=ann@localhost", "commit", "--quiet", "--message", "first"]
    for words in (["add", "--all"], commit):
        subprocess.run(["git", *words], cwd=root, check=True)
    run_command(root, "dvc", "metrics", "diff")
    assert "dvc_plots" in run_command(root, "dvc", "plots", "show")


def test_plan_says_why_and_what_it_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint, sizes = [
        yaml.safe_load(b.text) for b in read_blocks() if (b.document, b.language) == ("docs/generation.md", "yaml")
    ]
    shipped = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    fragments = [{**endpoint, "intend": endpoint["augment"]}, sizes]
    params = merge_params(shipped, [{"arms": shipped["arms"], **fragment} for fragment in fragments])
    copy_graph(tmp_path / "project", params)
    monkeypatch.chdir(tmp_path / "project")
    (key,) = [key for key in RUN_BLOCKS if key[0] == "docs/generation.md"]
    shown = [line.split() for line in find_block(key).splitlines()]
    assert [line.split() for line in call("plan", "intend", "augment").splitlines()] == shown


def test_plan_of_a_current_project_is_empty(root: Path) -> None:
    assert "Everything is up to date" in call("plan")


def test_label_page_is_written_and_a_filled_table_is_read(root: Path) -> None:
    call("label", "--annotator", "ann")
    assert "Export CSV" in (root / "labels" / "label.html").read_text()
    call("label", "--csv", "--annotator", "ann")
    form = pl.read_csv(root / "labels" / "to_label.csv")
    follow_up = pl.col("follow_up")
    label = (
        pl.when(follow_up.str.contains("not what I asked|didn't answer"))
        .then(pl.lit("dsat"))
        .when(follow_up.str.starts_with("Thank you"))
        .then(pl.lit("sat"))
        .otherwise(pl.lit("none"))
    )
    form.with_columns(label=label).write_csv("filled.csv")
    assert f"{form.height} judgements read" in call("label", "--read", "filled.csv")
    # `turnabout run mine` runs this, as the whole run did.
    run_command(root, *shlex.split(load_stage_graph(root).nodes["mine"]["stage"].command))
    assert {"precision", "recall"} <= {*re.findall(r"\w+", json.dumps(read_metrics(root, "mine")["accuracy"]))}


def test_fit_miner_writes_weights_for_the_miner(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Sentence vectors are half of the time.
    monkeypatch.setattr(reaction_features, "encode_sentences", lambda texts: np.zeros((len(texts), 384)))
    assert "{miner: learned, weights: labels/miner.safetensors}" in call("fit-miner")
    assert load_weights(str(root / "labels" / "miner.safetensors")).categories
    assert "auc" in read_json(root / "metrics" / "fit_miner.json")


def test_induce_rubric_writes_a_rubric_for_the_miner(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The random model writes nothing that could be read.
    monkeypatch.setattr("turnabout.generation.registry.Local.open", lambda *_: ScriptedGenerator(answer))
    assert "{miner: rubric, rubric: labels/rubric.yaml}" in call("induce-rubric")
    assert load_criteria(str(root / "labels" / "rubric.yaml")).dsat


def test_phrases_writes_a_set_for_the_pair_rule(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "300")  # `plan` breaks long lines
    printed = call("phrases", "ours", "--of", "in_passing", "--keep", "3", "--replies", "4")
    assert "scoring 72 follow-ups" in capsys.readouterr().err
    assert (root / "follow_ups" / "ours.yaml").exists()
    (entry,) = re.findall(r"pairs: (\{.*\})", printed)
    params = yaml.safe_load((root / "params.yaml").read_text())
    params["arms"]["follow_up"]["pairs"] |= yaml.safe_load(entry)
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    (reasons,) = re.findall(r"^build_pairs@follow_up +(.*?)  ", call("plan", "build_pairs"), re.MULTILINE)
    assert "follow_ups" in reasons
    assert "arms.follow_up.pairs" in reasons


def test_score_prefers_with_every_scorer(root: Path) -> None:
    (pair,) = [b.text for b in read_blocks() if b.document == "docs/agreement.md" and '"prompt"' in b.text]
    Path("pairs.jsonl").write_text(pair)
    for scorer in ("length", "likelihood", "follow_up", "follow_up_calibrated", "judge", "self_reference"):
        model = [] if scorer == "follow_up" else ["--model", "models/backbone"]
        call("score", "pairs.jsonl", "--by", scorer, "--out", f"{scorer}.jsonl", *model)
        (line,) = Path(f"{scorer}.jsonl").read_text().splitlines()
        assert list(json.loads(line)) == ["id", "score_a", "score_b", "prefer"]


@pytest.fixture
def served(root: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`turnabout serve-user` on a free port, and its address."""
    words = ["turnabout", "serve-user", "--port", "0", "--end-marker", "###STOP###"]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert server.stdout is not None
    try:
        yield server, server.stdout.readline().split(" at ")[1].split()[0]
    finally:
        server.kill()


def test_serve_user_answers_until_it_is_stopped(served: tuple[subprocess.Popen[str], str]) -> None:
    server, url = served
    client = openai.OpenAI(base_url=url, api_key="none")
    messages: list[Any] = [{"role": "system", "content": "You are a user chatting with an assistant."}]
    choices = client.chat.completions.create(model="user", messages=messages, max_tokens=4, n=2, seed=1).choices
    assert [choice.message.role for choice in choices] == ["assistant", "assistant"]
    with pytest.raises(openai.BadRequestError, match="tools"):
        client.chat.completions.create(model="user", messages=messages, extra_body={"tools": [{"type": "function"}]})
    server.send_signal(signal.SIGINT)
    assert server.wait(30) == 0


def test_chat_takes_the_commands_of_the_documents(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnabout.serving.user_player.MAX_TOKENS", 8)
    monkeypatch.setattr("sys.stdin", io.StringIO("hello\n/again\n/intent bread\n/quit\n"))
    printed = call("chat", "--intent", "trains")
    assert "intent: trains" in printed
    assert "intent: bread" in printed
    monkeypatch.setattr("sys.stdin", io.StringIO("hello\n"))
    assert "assistant: " in call("chat", "--assistant", "models/assistants/drift")


def test_eval_user_stands_beside_the_figures_of_the_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    printed = call("eval-user", "models/backbone", "--out", "user.json", "--beside", "metrics/user.json")
    for word in ("backbone", "trained", "people", "naturalness"):
        assert word in printed
    assert "perplexity" in read_json(root / "user.json")


def test_export_user_writes_a_folder_with_a_card(root: Path) -> None:
    call("export-user", "--out", "exported/user")
    card = (root / "exported" / "user" / "README.md").read_text()
    assert (root / "exported" / "user" / "model.safetensors").exists()
    assert "bits per character" in card.lower()


def test_doctor_has_nothing_to_say(root: Path) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), pytest.raises(SystemExit):
        main(["doctor"])
    problems = re.findall(r"^DO +(\w[\w. ]*):", printed.getvalue(), re.MULTILINE)
    assert [problem for problem in problems if problem not in ("disk", "memory")] == [], printed.getvalue()
    assert "its tokenizer and chat template can be used" in printed.getvalue()


def test_forget_counts_the_conversations_of_a_person(root: Path) -> None:
    assert "u1: 3 conversations" in call("forget", "u1")
    assert (root / "forgotten.txt").read_text().strip()
