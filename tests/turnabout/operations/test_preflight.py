"""Checks of logs and backbone before a run, on files made by hand."""

from pathlib import Path

import pytest
import yaml

from tests.source_tree import ROOT
from tests.toy_project import create_toy_project
from turnabout.cli import main
from turnabout.errors import ConfigError, DataError, ModelError, TurnaboutError
from turnabout.operations.preflight import check_run_inputs
from turnabout.params import Params

STAGES = ("ingest", "backbone", "report")


def build_params(source: dict[str, str], backbone: str = "smollm2-135m-instruct") -> Params:
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    content["ingest"] = {"watch": "logs", "sources": [source]}
    content["backbone"]["name"] = backbone
    return Params.model_validate(content)


@pytest.mark.parametrize("path", ["logs", "logs/*.jsonl", "logs/a.jsonl"])
def test_existing_logs_and_backbone_are_accepted(tmp_path: Path, path: str) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.jsonl").touch()
    params = build_params({"format": "auto", "path": path})
    check_run_inputs(tmp_path, params, STAGES)
    (tmp_path / "logs" / "a.jsonl").unlink()
    with pytest.raises(DataError):  # the same settings without a log
        check_run_inputs(tmp_path, params, STAGES)


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ({"format": "auto", "path": "logs/*.jsonl"}, DataError, r"path 'logs/\*\.jsonl' holds no log file"),
        ({"format": "hub", "dataset": "logs/set", "rows": "openai"}, DataError, "'logs/set', which does not exist"),
        ({"format": "auto", "path": "other"}, ConfigError, "'other', which is not inside ingest.watch 'logs'"),
    ],
)
def test_missing_logs_are_refused_only_if_ingest_runs(
    tmp_path: Path, source: dict[str, str], error: type[TurnaboutError], message: str
) -> None:
    (tmp_path / "logs").mkdir()
    params = build_params(source)
    with pytest.raises(error, match=message):
        check_run_inputs(tmp_path, params, STAGES)
    check_run_inputs(tmp_path, params, ("report",))


def test_backbone_folder_without_weights_is_refused(tmp_path: Path) -> None:
    params = build_params({"format": "chitchat"}, "weights")
    (tmp_path / "weights").mkdir()
    with pytest.raises(ModelError, match=r"the folder 'weights' holds no \*\.safetensors weights"):
        check_run_inputs(tmp_path, params, STAGES)
    (tmp_path / "weights" / "model.safetensors").touch()
    check_run_inputs(tmp_path, params, STAGES)


def test_unknown_backbone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="'no/such-model' is neither an embedded name"):
        check_run_inputs(tmp_path, build_params({"format": "chitchat"}, "no/such-model"), STAGES)


def test_run_ends_with_the_one_error_and_starts_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = create_toy_project(tmp_path / "project")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.setattr("turnabout.commands.run._run_flow", lambda *_: pytest.fail("the flow was started"))
    monkeypatch.chdir(root)
    shipped = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(shipped.replace("{format: chitchat}", "{format: auto, path: 'logs/*.jsonl'}"))
    with pytest.raises(SystemExit) as ended:
        main(["run"])
    assert str(ended.value.code).startswith("DataError: ingest.sources: path 'logs/*.jsonl' holds no log file")
    assert capsys.readouterr().out == ""
