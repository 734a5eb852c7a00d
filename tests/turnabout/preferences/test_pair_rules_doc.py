"""docs/pair_rules.md: its fragments are valid in the shipped `params.yaml`."""

import re
from pathlib import Path

import networkx as nx
import pytest
import yaml

from benchmarks.arms import GUIDE, ROOT, create_project, merge_params, parse_fragments
from stages.build_pairs import TABLES
from turnabout.params import Params
from turnabout.pipeline.repro import load_stage_graph
from turnabout.preferences import RULES
from turnabout.preferences.base import LOGS_ONLY

TEXT = GUIDE.read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
SHIPPED = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("rule", sorted(RULES))
def test_fragments_of_a_rule_are_valid_and_use_it(rule: str) -> None:
    assert rule in SECTIONS, f"docs/pair_rules.md has no section '## {rule}'"
    shown = parse_fragments(SECTIONS[rule])
    for fragment in shown:
        arms = SHIPPED["arms"] | fragment["arms"]
        augment = SHIPPED["augment"] | fragment.get("augment", {})
        Params.model_validate({**SHIPPED, "augment": augment, "arms": arms})
    assert rule in {arm["pairs"]["rule"] for fragment in shown for arm in fragment["arms"].values()}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> nx.DiGraph:
    """The stage graph with all arms of the guide."""
    folder = tmp_path_factory.mktemp("arms")
    create_project(folder, merge_params(SHIPPED, parse_fragments(TEXT)))
    return load_stage_graph(folder)


def test_arm_depends_on_exactly_what_its_rule_needs(graph: nx.DiGraph) -> None:
    arms = Params.model_validate(merge_params(SHIPPED, parse_fragments(TEXT))).arms
    for name, arm in arms.items():
        deps = set(graph.nodes[f"build_pairs@{name}"]["stage"].deps)
        inputs = {path for path in deps if path.startswith(("data/", "models/"))}
        logs = {"data/messages", "data/splits.parquet", "data/feedback.parquet", "models/backbone"}
        assert inputs == logs | {arm.reads, f"models/{arm.policy}"}
        assert "src/turnabout/preferences" in deps
        assert graph.has_edge(f"build_pairs@{name}", f"train_assistant@{name}")


def test_stage_knows_every_table_that_an_arm_of_the_guide_reads() -> None:
    arms = Params.model_validate(merge_params(SHIPPED, parse_fragments(TEXT))).arms.values()
    tables = {Path(arm.reads).stem for arm in arms if Path(arm.reads).parent == Path("data")}
    assert tables - {Path(LOGS_ONLY).stem} <= set(TABLES)


def test_second_round_depends_on_the_assistant_of_the_first(graph: nx.DiGraph) -> None:
    assert graph.has_edge("train_assistant@drift", "build_pairs@drift_2")
    assert graph.has_edge("train_assistant@drift", "train_assistant@drift_2")
