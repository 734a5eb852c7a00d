"""Nested parameters and metrics as MLflow's flat names."""

import json
from pathlib import Path

from turnabout.pipeline.repro import Plot, Stage
from turnabout.tracking.figures import (
    flatten_metrics,
    flatten_params,
    read_stage_curves,
    read_stage_metrics,
    read_stage_params,
    read_stage_tables,
)


def test_lists_of_mappings_are_numbered_and_other_lists_kept() -> None:
    content = {"miners": [{"miner": "rules"}, {"miner": "rephrase"}], "scrub": ["email", "url"], "seed": 1}
    assert flatten_params(content) == {
        "miners.0.miner": "rules",
        "miners.1.miner": "rephrase",
        "scrub": ["email", "url"],
        "seed": 1,
    }


def test_an_estimate_lends_its_name_to_its_value_and_text_is_left_out() -> None:
    content = {
        "f1": {"value": 0.4, "low": 0.3, "high": 0.5},
        "n": 7,
        "gate": {"reached": True},
        "reason": "x",
        "gone": None,
    }
    assert flatten_metrics(content) == {"f1": 0.4, "f1.low": 0.3, "f1.high": 0.5, "n": 7.0, "gate.reached": 1.0}


def test_counts_by_reason_and_lists_are_tables_and_no_metrics(tmp_path: Path) -> None:
    content = {
        "n_rejected": 7,
        "rejected_by_reason": {"cut off": 2, "a: b": 5},
        "critiques": {"n": 3, "dropped_by_reason": {"generic": 1}},
        "ratings": {"n": 0, "dropped_by_reason": {}},
        "files": [{"file": "a.jsonl", "n": 1}, {"file": "b.jsonl", "n": 0, "format": "hh"}],
        "warnings": ["empty"],
    }
    (tmp_path / "ingest.json").write_text(json.dumps(content))
    assert flatten_metrics(content) == {"n_rejected": 7.0, "critiques.n": 3.0, "ratings.n": 0.0}
    assert read_stage_tables(tmp_path, ["ingest.json", "absent.json"]) == {
        "ingest.rejected_by_reason": {"reason": ["a: b", "cut off"], "n": [5, 2]},
        "ingest.critiques.dropped_by_reason": {"reason": ["generic"], "n": [1]},
        "ingest.files": {"file": ["a.jsonl", "b.jsonl"], "n": [1, 0], "format": [None, "hh"]},
    }
    assert list(read_stage_tables(tmp_path, ["ingest.json"])) == [
        "rejected_by_reason",
        "critiques.dropped_by_reason",
        "files",
    ]


def test_a_metric_name_is_cut_to_what_mlflow_allows() -> None:
    assert flatten_metrics({"too_short": {"x" * 400: 1}}) == {"too_short." + "x" * 240: 1.0}


def test_characters_that_mlflow_refuses_are_replaced() -> None:
    assert flatten_metrics({"build_pairs@drift (n)": 2}) == {"build_pairs_drift _n_": 2.0}


def test_parameters_are_those_the_stage_lists(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("seed: 5\nmine: {min_confidence: 0.5}\narms: {drift: {train: {epochs: 1}}}\n")
    assert read_stage_params(tmp_path, ["seed", "arms.drift.train"]) == {"seed": 5, "arms.drift.train.epochs": 1}


def test_several_metrics_files_are_told_apart_by_name_and_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "user.json").write_text('{"f1": 1}')
    (tmp_path / "assistants.json").write_text('{"f1": 2}')
    assert read_stage_metrics(tmp_path, ["user.json", "assistants.json"]) == {"user.f1": 1.0, "assistants.f1": 2.0}
    assert read_stage_metrics(tmp_path, ["user.json"]) == {"f1": 1.0}
    assert read_stage_metrics(tmp_path, ["absent.json"]) == {}


def test_text_columns_of_a_plot_split_it_into_curves(tmp_path: Path) -> None:
    (tmp_path / "by_turn.csv").write_text(
        "turn,model,bits\n1,trained,2.0\n2,trained,1.5\n1,untrained,3.0\n2,untrained,\n"
    )
    stage = Stage("evaluate", "", "", (), (), ("by_turn.csv",), (), (Plot("by_turn.csv", "turn", "bits"),))
    assert read_stage_curves(tmp_path, stage) == {"bits.trained": [(1, 2.0), (2, 1.5)], "bits.untrained": [(1, 3.0)]}


def test_an_empty_plot_has_no_curve(tmp_path: Path) -> None:
    (tmp_path / "curve.csv").write_text("step,loss\n")
    stage = Stage("train", "", "", (), (), ("curve.csv",), (), (Plot("curve.csv", "step", "loss"),))
    assert read_stage_curves(tmp_path, stage) == {}
