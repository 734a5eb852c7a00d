from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml

from stages.split import main
from tests.source_tree import ROOT
from turnabout.core import schemas
from turnabout.core.io import read_frame, read_json, write_frame
from turnabout.core.splitting import SplitAssignment
from turnabout.errors import DataError

SHIPPED = ROOT / "params.yaml"


def run(folder: Path, log: pl.DataFrame) -> dict[str, object]:
    """Run the stage and return its metrics.

    The seed is 7; a fifth of the users is for validation and a fifth for test.
    """
    changes = {"seed": 7, "split": {"validation": 0.2, "test": 0.2, "test_from": None}}
    (folder / "params.yaml").write_text(yaml.safe_dump(yaml.safe_load(SHIPPED.read_text()) | changes))
    write_frame(log, folder / "in.parquet", schemas.MESSAGES)
    main(folder / "in.parquet", folder / "out.parquet", folder / "metrics.json", params=folder / "params.yaml")
    return read_json(folder / "metrics.json")


def test_split_counts_conversations_and_people_by_split(tmp_path: Path, messages: Callable[..., pl.DataFrame]) -> None:
    """For seed 7 cyd is test, bob and fay are validation, ann is train (see test_splitting)."""
    people = ["ann", "ann", "ann", "bob", "fay", "cyd"]
    log = pl.concat([messages(str(i), "hi", "yo", user=name) for i, name in enumerate(people)])
    assert run(tmp_path, log) == {
        "conversations_by_split": {"test": 1, "train": 3, "validation": 2},
        "users_by_split": {"test": 1, "train": 1, "validation": 2},
        "excluded_by_reason": {"validation user in train": 0, "known person in test": 0},
        "names_people": True,
        "warnings": [],
    }
    splits = read_frame(tmp_path / "out.parquet", schemas.SPLITS)
    assert splits["split"].to_list() == ["train", "train", "train", "validation", "validation", "test"]


def test_split_counts_excluded_conversations_by_reason(tmp_path: Path, messages: Callable[..., pl.DataFrame]) -> None:
    """bob, who is validation, answers ann, who is train; ann answers cyd, who is test."""
    talks = [("bob", "zoe"), ("ann", "bob"), ("ann", "eve"), ("cyd", "ann")]
    log = pl.concat(
        [
            messages(str(i), "hi", "yo", user=user).with_columns(user_key=pl.coalesce("user_key", pl.lit(partner)))
            for i, (user, partner) in enumerate(talks)
        ]
    )
    metrics = run(tmp_path, log)
    assert metrics["conversations_by_split"] == {"excluded": 2, "train": 1, "validation": 1}
    assert metrics["excluded_by_reason"] == {"validation user in train": 1, "known person in test": 1}


def test_split_raises_on_a_leak_before_it_writes_anything(
    tmp_path: Path, messages: Callable[..., pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    leaking = pl.DataFrame([("a", "ann", "test"), ("b", "ann", "train")], schema=schemas.SPLITS, orient="row")
    monkeypatch.setattr("stages.split.assign_splits", lambda *_: SplitAssignment(leaking, {}))
    with pytest.raises(DataError, match="share people with another split"):
        run(tmp_path, pl.concat([messages("a", "hi", "yo", user="ann"), messages("b", "hi", "yo", user="ann")]))
    assert not (tmp_path / "out.parquet").exists()


def test_split_warns_of_a_log_that_names_no_people(
    tmp_path: Path, messages: Callable[..., pl.DataFrame], capsys: pytest.CaptureFixture[str]
) -> None:
    unnamed = [messages(name, "hi", "yo", user=f"conversation:{name}") for name in map(str, range(40))]
    metrics = run(tmp_path, pl.concat(unnamed))
    warning = (
        "this log names no people; splits are by conversation: one person may be in several of them; "
        "log user ids to split by person"
    )
    assert (metrics["names_people"], metrics["warnings"]) == (False, [warning])
    assert capsys.readouterr().err.splitlines() == [f"warning: {warning}"]
    named = messages("ann's", "hi", "yo", user="ann")
    metrics = run(tmp_path, pl.concat([*unnamed, named]))
    assert (metrics["names_people"], metrics["warnings"]) == (
        True,
        ["40 of 41 conversations name no person; each counts as a person of its own"],
    )


def test_split_warns_of_empty_splits_when_there_is_one_person(
    tmp_path: Path, messages: Callable[..., pl.DataFrame], capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = run(tmp_path, messages("a", "hi", "yo", user="ann"))
    assert metrics["conversations_by_split"] == {"train": 1}
    split_warnings = metrics["warnings"]
    assert isinstance(split_warnings, list)
    assert [warning.split(" split ")[0] for warning in split_warnings] == ["validation", "test"]
    assert capsys.readouterr().err.splitlines() == [f"warning: {warning}" for warning in split_warnings]
