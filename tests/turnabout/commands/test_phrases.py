"""`turnabout phrases` on a toy project: what it reads, writes and refuses."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from tests.source_tree import ROOT
from turnabout.commands import phrases as command
from turnabout.core import schemas
from turnabout.core.io import write_frame
from turnabout.core.messages import Message
from turnabout.errors import ConfigError, DataError
from turnabout.follow_ups import phrases
from turnabout.generation.local.generator import LocalGenerator
from turnabout.models.checkpoints import load_checkpoint
from turnabout.params import load_params
from turnabout.preferences.follow_up import FollowUp

TEXTS = {"positive": ["good", "fine", "nice"], "negative": ["bad", "poor", "no"]}


@pytest.fixture
def project(
    tmp_path: Path,
    tiny_checkpoint: Path,
    messages: Callable[..., pl.DataFrame],
    signal: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Return a project with six judged replies and a small set.

    Of each label two replies are of training users and one is of the test split.
    """
    names = {"a": "sat", "b": "sat", "c": "dsat", "d": "dsat", "x": "sat", "y": "dsat"}
    log = pl.concat([messages(name, "open when?", f"reply {name}", "I see") for name in names])
    people = [
        {"conversation_id": name, "user_key": name, "split": "test" if name in "xy" else "train"} for name in names
    ]
    feedback = [
        signal(name, 1, label=label, category="positive" if label == "sat" else "complaint")
        for name, label in names.items()
    ]
    (tmp_path / "dvc.yaml").touch()
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "user").symlink_to(tiny_checkpoint)
    write_frame(log, tmp_path / "data" / "messages" / "part-0.parquet", schemas.MESSAGES)
    write_frame(pl.DataFrame(people, schema=schemas.SPLITS), tmp_path / "data" / "splits.parquet", schemas.SPLITS)
    write_frame(
        pl.DataFrame(feedback, schema=schemas.FEEDBACK), tmp_path / "data" / "feedback.parquet", schemas.FEEDBACK
    )
    sets = tmp_path / "sets"
    sets.mkdir()
    (sets / "small.yaml").write_text(yaml.safe_dump({"version": 4, "dimensions": {"all": TEXTS}}))
    (sets / "six_dimensions.yaml").write_text((phrases.SETS_FOLDER / "six_dimensions.yaml").read_text())
    monkeypatch.setattr(phrases, "SETS_FOLDER", sets)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_set_is_chosen_and_written_where_params_can_name_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.execute(name="ours", of="small", keep=2, replies=100) == 0
    dimensions, version = phrases.read_phrase_set("ours")
    assert version == 4
    assert all(set(texts) <= set(TEXTS[sign]) for sign, texts in dimensions["all"].items())
    assert [len(texts) for texts in dimensions["all"].values()] == [2, 2]
    counts = "2 replies that satisfied and 2 that did not"  # nothing of the test split
    shown = capsys.readouterr()
    assert counts in shown.out
    assert "pairs: {rule: follow_up, phrases: ours, phrases_per_dimension: 2}" in shown.out
    assert "scoring 6 follow-ups: 100%" in shown.err
    assert counts in (project / "follow_ups" / "ours.yaml").read_text()
    shipped = {path.name for path in (project / "sets").iterdir()}
    assert shipped == {"six_dimensions.yaml", "small.yaml"}  # the package is not written to
    assert FollowUp(phrases="ours", phrases_per_dimension=2).phrases == "ours"


def test_set_of_the_project_is_found_from_a_subfolder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "follow_ups").mkdir()
    (project / "follow_ups" / "own.yaml").write_text((project / "sets" / "small.yaml").read_text())
    monkeypatch.chdir(project / "models")
    assert command.execute(name="ours", of="own", keep=1, replies=100) == 0
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["arms"]["follow_up"]["pairs"] |= {"phrases": "ours", "phrases_per_dimension": 1}
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    rule = load_params(project / "params.yaml").arms["follow_up"].pairs
    assert rule.model_dump()["phrases"] == "ours"


def test_likelihoods_do_not_depend_on_the_size_of_a_group(
    tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = LocalGenerator(load_checkpoint(tiny_checkpoint, "float32"), "user", 2)
    contexts: list[list[Message]] = []
    for i in range(5):
        contexts.append([{"role": "user", "content": f"q{i}"}, {"role": "assistant", "content": "a"}])
    texts = phrases.Phrases(["good"], ["bad"], 1)
    whole = command.score_phrases(user, contexts, texts)
    monkeypatch.setattr(command, "REPLIES_PER_UPDATE", 2)
    assert np.abs(command.score_phrases(user, contexts, texts) - whole).max() < 1e-5
    assert whole.shape == (5, 2)


def test_replies_of_one_kind_write_no_set(project: Path) -> None:
    path = project / "data" / "feedback.parquet"
    write_frame(pl.read_parquet(path).filter(label="sat"), path, schemas.FEEDBACK)
    with pytest.raises(DataError, match="are of one kind"):
        command.execute(name="ours", of="small", keep=2, replies=100)
    assert phrases.list_set_names() == ["six_dimensions", "small"]


@pytest.mark.parametrize("name", ["small", "six_dimensions", "my set", "../elsewhere"])
def test_name_that_is_not_allowed_is_refused(project: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"cannot be the name of a (new )?set"):
        command.execute(name=name, of="small", keep=2, replies=100)
