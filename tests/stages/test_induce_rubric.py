"""Stage induce_rubric: the file it writes is one the miner reads."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stages.induce_rubric import main
from turnabout import schemas
from turnabout.feedback.criteria import open_criteria
from turnabout.generation import Completion, Message
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.io import read_json, write_frame

PARAMS = Path(__file__).parents[2] / "params.yaml"
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
    writer.checkpoint = None
    monkeypatch.setattr("stages.induce_rubric.open_generator", lambda *_: writer)
    log = pl.concat(messages(name, "swim?", "Lake.", "Hooray, a lake.") for name in ("c1", "c2", "c3"))
    write_frame(log, tmp_path / "messages.parquet", schemas.MESSAGES)
    (tmp_path / "feedback.csv").write_text(
        "conversation_id,reply_index,label,category,annotator\nc1,1,sat,,ann\nc2,1,dsat,,ann\nc3,1,dsat,,ann\n"
    )
    paths = [tmp_path / name for name in ("messages.parquet", "feedback.csv", "model", "rubric.yaml", "figures.json")]
    main(*paths, params=PARAMS)
    criteria = open_criteria(str(tmp_path / "rubric.yaml"))
    assert [c.model_dump() for c in (*criteria.sat, *criteria.dsat)] == list(SIGNS.values())
    assert read_json(tmp_path / "figures.json") == {
        "n_criteria": {"sat": 1, "dsat": 1},
        "n_explained": {"sat": 1, "dsat": 2},
        "n_unexplained": {"sat": 0, "dsat": 0},
    }
