"""`turnabout induce-rubric`: the file it writes is one that the miner `rubric` reads."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pytest

from tests.source_tree import ROOT
from turnabout.cli import main
from turnabout.core import schemas
from turnabout.core.io import read_json, write_frame
from turnabout.core.messages import Message
from turnabout.feedback.miners.criteria import load_criteria
from turnabout.generation import Completion
from turnabout.generation.scripted import ScriptedGenerator

SIGNS = {
    "satisfied": {"name": "élan", "definition": "The user cheers.", "category": "positive"},
    "dissatisfied": {"name": "sarcasm", "definition": "The user mocks: the reply.", "category": "complaint"},
}


def answer(messages: Sequence[Message]) -> Completion:
    question = messages[0]["content"]
    if "Summarise them" not in question:
        return Completion('{"reasons": ["They cheer."]}')
    return Completion(json.dumps({"criteria": [SIGNS["dissatisfied" if "dissatisfied" in question else "satisfied"]]}))


def test_labels_become_a_rubric_that_the_miner_reads(
    tmp_path: Path,
    messages: Callable[..., pl.DataFrame],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("turnabout.generation.registry.Local.open", lambda *_: ScriptedGenerator(answer))
    monkeypatch.setattr("turnabout.models.checkpoints.load_checkpoint", lambda *_: None)
    (tmp_path / "dvc.yaml").touch()
    shutil.copy(ROOT / "params.yaml", tmp_path)
    log = pl.concat(messages(name, "swim?", "Lake.", "Hooray, a lake.") for name in ("c1", "c2", "c3", "c4"))
    write_frame(log, tmp_path / "data" / "messages" / "part-00.parquet", schemas.MESSAGES)
    splits = [("c1", "u", "train"), ("c2", "u", "train"), ("c3", "v", "validation"), ("c4", "w", "test")]
    write_frame(pl.DataFrame(splits, schemas.SPLITS, orient="row"), tmp_path / "data/splits.parquet", schemas.SPLITS)
    labels = ["c1,1,sat,,ann", "c2,1,dsat,,ann", "c3,1,dsat,,ann", "c4,1,dsat,,ann"]
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "feedback.csv").write_text(
        "\n".join(["conversation_id,reply_index,label,category,annotator", *labels])
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["induce-rubric", "--rubric", "labels/own.yaml"])
    assert ended.value.code == 0
    criteria = load_criteria(str(tmp_path / "labels" / "own.yaml"))
    assert [c.model_dump() for c in (*criteria.sat, *criteria.dsat)] == list(SIGNS.values())
    assert read_json(tmp_path / "metrics" / "induce_rubric.json") == {
        "n_criteria": {"sat": 1, "dsat": 1},
        "n_explained": {"sat": 1, "dsat": 2},  # c4 is in the test split
        "n_unexplained": {"sat": 0, "dsat": 0},
    }
    assert "{miner: rubric, rubric: labels/own.yaml}" in capsys.readouterr().out
