"""Stage induce_rubric: the file it writes is one the miner reads."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stages.induce_rubric import main
from tests.source_tree import ROOT
from turnabout.core import schemas
from turnabout.core.io import read_json, write_frame
from turnabout.core.messages import Message
from turnabout.feedback.miners.criteria import load_criteria
from turnabout.generation import Completion
from turnabout.generation.scripted import ScriptedGenerator

PARAMS = ROOT / "params.yaml"
SIGNS = {
    "satisfied": {"name": "élan", "definition": "The user cheers.", "category": "positive"},
    "dissatisfied": {"name": "sarcasm", "definition": "The user mocks: the reply.", "category": "complaint"},
}


def script(messages: Sequence[Message]) -> Completion:
    asked = messages[0]["content"]
    if "Sum them up" not in asked:
        return Completion('{"reasons": ["They cheer."]}')
    return Completion(json.dumps({"criteria": [SIGNS["dissatisfied" if "dissatisfied" in asked else "satisfied"]]}))


def test_labels_become_a_rubric_that_the_miner_reads(
    tmp_path: Path, messages: Callable[..., pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer: Any = ScriptedGenerator(script)
    monkeypatch.setattr("stages._language_model.open_configured_model", lambda *_: writer)
    monkeypatch.setattr("turnabout.models.checkpoints.load_checkpoint", lambda *_: None)
    log = pl.concat(messages(name, "swim?", "Lake.", "Hooray, a lake.") for name in ("c1", "c2", "c3"))
    write_frame(log, tmp_path / "messages.parquet", schemas.MESSAGES)
    splits = [("c1", "u", "train"), ("c2", "u", "train"), ("c3", "v", "validation")]
    write_frame(pl.DataFrame(splits, schemas.SPLITS, orient="row"), tmp_path / "splits.parquet", schemas.SPLITS)
    (tmp_path / "feedback.csv").write_text(
        "conversation_id,reply_index,label,category,annotator\nc1,1,sat,,ann\nc2,1,dsat,,ann\nc3,1,dsat,,ann\n"
    )
    rubric, figures = tmp_path / "rubric.yaml", tmp_path / "figures.json"
    places = [tmp_path / name for name in ("messages.parquet", "splits.parquet", "feedback.csv", "model")]
    main(*places, rubric, figures, PARAMS)
    criteria = load_criteria(str(rubric))
    assert [c.model_dump() for c in (*criteria.sat, *criteria.dsat)] == list(SIGNS.values())
    assert read_json(figures) == {
        "n_criteria": {"sat": 1, "dsat": 1},
        "n_explained": {"sat": 1, "dsat": 2},
        "n_unexplained": {"sat": 0, "dsat": 0},
    }
