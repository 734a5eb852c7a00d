"""DVC's graph, what is stale and why, and one stage made current, on the toy project."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.toy_project import FAILING_RATE, create_toy_project, set_learning_rate
from turnabout.core.io import read_json
from turnabout.errors import ConfigError, StageFailed
from turnabout.params import load_params
from turnabout.pipeline.processes import CompletedCommand, ProcessGroups
from turnabout.pipeline.repro import (
    Plot,
    find_stale_reasons,
    hash_contents,
    load_stage_graph,
    repair_lock,
    reproduce_stage,
    select_stages,
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    return create_toy_project(tmp_path / "project")


def run(root: Path, *names: str) -> list[str]:
    return [reproduce_stage(root, name, ProcessGroups(), lambda _: None)[0] for name in names]


def test_the_graph_holds_expanded_stages_with_their_files(project: Path) -> None:
    graph = load_stage_graph(project)
    drift = graph.nodes["train_assistant@drift"]["stage"]
    assert set(graph.predecessors("evaluate")) == {
        "train_assistant@drift",
        "train_assistant@follow_up",
        "simulate_untrained",
    }
    assert (drift.arm, drift.desc, drift.params) == ("drift", "One assistant", ("arms.drift.train",))
    assert drift.deps == ("data/messages",)
    assert drift.plots == (Plot("plots/train_assistant/drift.csv", "step", "loss"),)
    assert drift.metrics == ("metrics/train_assistant/drift.json",)
    assert "models/assistants/drift" in drift.outs


def test_a_target_brings_its_ancestors_in_an_order_that_can_run(project: Path) -> None:
    graph = load_stage_graph(project)
    assert select_stages(graph, ["train_assistant@drift"]) == ["ingest", "train_assistant@drift"]
    assert select_stages(graph, ["train_assistant"]) == ["ingest", "train_assistant@drift", "train_assistant@follow_up"]
    assert select_stages(graph)[-1] == "report"


def test_another_pipeline_runs_only_where_it_is_named_and_brings_what_it_needs_of_the_first(project: Path) -> None:
    graph = load_stage_graph(project)
    arms = [f"ablate@{name}" for name in load_params(project / "params.yaml").user_arms]
    assert select_stages(graph, ["ablations"]) == select_stages(graph, ["ablations/"]) == ["ingest", *arms]
    assert not set(arms) & set(select_stages(graph))
    assert run(project, "ingest") == ["ran"]
    pipeline = graph.nodes["ablate@tenth"]["stage"].pipeline
    result = reproduce_stage(project, "ablate@tenth", ProcessGroups(), lambda _: None, pipeline=pipeline)
    assert (pipeline, result[0]) == ("ablations/dvc.yaml", "ran")
    assert read_json(project / "ablations/metrics/tenth.json") == {"share": 0.1}
    assert find_stale_reasons(project, ["ablate@tenth", "ablate@third"]) == {"ablate@third": ["never ran"]}


def test_a_stage_runs_on_the_allocator_that_is_preloaded(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Watched(ProcessGroups):
        def stream(self, command: Any, cwd: Any, env: Mapping[str, str], *rest: Any) -> CompletedCommand:
            seen.append(env.get("LD_PRELOAD"))
            return super().stream(command, cwd, env, *rest)

    monkeypatch.setattr("turnabout.pipeline.repro.allocator_environment", lambda: {"LD_PRELOAD": "libm.so.6"})
    assert reproduce_stage(project, "ingest", Watched(), lambda _: None)[0] == "ran"
    assert seen == ["libm.so.6"]


def test_a_project_may_lie_inside_a_larger_repository(project: Path) -> None:
    above = project.parent
    for kind in (".git", ".dvc"):
        (project / kind).rename(above / kind)
    graph = load_stage_graph(project)
    assert {stage.pipeline for _, stage in graph.nodes(data="stage")} == {"dvc.yaml", "ablations/dvc.yaml"}
    assert select_stages(graph)[0] == "ingest"
    assert run(project, "ingest") == ["ran"]


def test_an_unknown_target_is_an_error_that_names_the_stages(project: Path) -> None:
    result = r"'trian' is not a stage; the stages are \['ingest'.*, other pipelines \['ablations'\]"
    with pytest.raises(ConfigError, match=result):
        select_stages(load_stage_graph(project), ["trian"])


def test_a_broken_dvc_yaml_is_a_config_error(project: Path) -> None:
    (project / "dvc.yaml").write_text("stages:\n  ingest: {cmd: 'echo ${absent}'}\n")
    with pytest.raises(ConfigError, match="absent"):
        load_stage_graph(project)


def test_only_the_arm_whose_knob_changed_is_stale(project: Path) -> None:
    arms = ["train_assistant@drift", "train_assistant@follow_up"]
    assert find_stale_reasons(project, ["ingest", *arms]) == {name: ["never ran"] for name in ["ingest", *arms]}
    assert run(project, "ingest", *arms) == ["ran", "ran", "ran"]
    assert find_stale_reasons(project, ["ingest", *arms]) == {}
    set_learning_rate(project, "drift", 0.5)
    assert find_stale_reasons(project, ["ingest", *arms]) == {"train_assistant@drift": ["arms.drift.train modified"]}


def test_a_configuration_seen_before_comes_from_the_run_cache(project: Path) -> None:
    run(project, "ingest", "train_assistant@drift")
    set_learning_rate(project, "drift", 0.5)
    assert run(project, "train_assistant@drift") == ["ran"]
    set_learning_rate(project, "drift", 2e-4)
    assert run(project, "train_assistant@drift") == ["run-cache"]
    assert (project / "models/assistants/drift/weights").read_text() == "0.0002"


def test_a_failing_stage_tells_the_end_of_its_log(project: Path) -> None:
    set_learning_rate(project, "drift", FAILING_RATE)
    run(project, "ingest")
    with pytest.raises(StageFailed) as failure:
        run(project, "train_assistant@drift")
    result = str(failure.value)
    assert "train_assistant@drift" in result
    assert "line 39\nno such luck" in result
    assert "line 5\n" not in result


def test_hashes_are_those_dvc_stores(project: Path) -> None:
    run(project, "ingest")
    md5 = hash_contents(project, "ingest")["data/messages"]
    assert md5 in (project / "dvc.lock").read_text()


@pytest.mark.parametrize(("content", "is_removed"), [("", True), ("{", True), ("{}", False)])
def test_an_unreadable_lock_is_removed(project: Path, content: str, is_removed: bool) -> None:
    lock = project / ".dvc" / "tmp" / "rwlock"
    lock.parent.mkdir(exist_ok=True)
    lock.write_text(content)
    assert repair_lock(project) is is_removed
    assert lock.exists() is not is_removed
