"""`turnabout phrases` on a toy project: what it reads, writes and refuses."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from tests.source_tree import ROOT
from turnabout.commands import phrases as command
from turnabout.core import schemas
from turnabout.core.io import write_frame
from turnabout.errors import ConfigError, DataError
from turnabout.follow_ups import phrases

TEXTS = {"positive": ["good", "fine", "nice"], "negative": ["bad", "poor", "no"]}


@pytest.fixture
def project(
    tmp_path: Path,
    tiny_checkpoint: Path,
    messages: Callable[..., pl.DataFrame],
    signal: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Two satisfied and two dissatisfied replies of training users, one of each of the test split, and a small set."""
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
    assert counts in capsys.readouterr().out
    assert counts in (project / "sets" / "ours.yaml").read_text()


def test_replies_of_one_kind_write_no_set(project: Path) -> None:
    path = project / "data" / "feedback.parquet"
    write_frame(pl.read_parquet(path).filter(label="sat"), path, schemas.FEEDBACK)
    with pytest.raises(DataError, match="are of one kind"):
        command.execute(name="ours", of="small", keep=2, replies=100)
    assert phrases.list_set_names() == ["small"]


@pytest.mark.parametrize("name", ["small", "my set", "../elsewhere"])
def test_name_that_is_not_allowed_is_refused(project: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be the name of a set"):
        command.execute(name=name, of="small", keep=2, replies=100)
