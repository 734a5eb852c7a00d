"""build_pairs: which models it opens for a rule, and what it hands to it as `reads`."""

from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest

from stages import build_pairs
from tests.source_tree import ROOT
from turnabout.core import schemas
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.generation.unopened import UNOPENED
from turnabout.models.checkpoints import Checkpoint
from turnabout.params import BuildPairs, load_params
from turnabout.preferences import RuleContext, Rule
from turnabout.preferences.base import ModelRole

POLICY, BACKBONE = Path("models/assistants/drift"), Path("models/backbone")


class Asks(Rule):
    """A rule that asks whom it is told to."""

    rule: Literal["asks"] = "asks"
    whom: frozenset[ModelRole] = frozenset()

    @property
    def needs(self) -> frozenset[ModelRole]:
        return self.whom

    def build_pairs(self, context: RuleContext) -> pl.DataFrame:
        return schemas.PAIRS.to_frame()


@pytest.fixture
def settings() -> BuildPairs:
    return load_params(ROOT / "params.yaml").build_pairs


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that were opened, in order; each opening gives a generator of its own."""
    found: list[Path] = []

    def policy(folder: Path, *_: Any) -> ScriptedGenerator:
        found.append(folder)
        return ScriptedGenerator(lambda _: "")

    monkeypatch.setattr(build_pairs, "open_checkpoint_generator", policy)
    monkeypatch.setattr(build_pairs, "open_configured_model", lambda _, folder, *others: policy(folder, *others))
    return found


@pytest.mark.parametrize(
    ("whom", "policy", "opened"),
    [
        (set(), POLICY, []),
        ({"policy"}, POLICY, [POLICY]),
        ({"judge"}, POLICY, [BACKBONE]),
        ({"policy", "judge"}, POLICY, [POLICY, BACKBONE]),
        ({"policy", "judge"}, BACKBONE, [BACKBONE]),  # one model in both parts is opened once
    ],
)
def test_only_the_models_a_rule_asks_are_opened(
    settings: BuildPairs, folders: list[Path], whom: set[ModelRole], policy: Path, opened: list[Path]
) -> None:
    writer, judge = build_pairs.opened(Asks(whom=frozenset(whom)), settings, policy, BACKBONE, "float32")
    assert folders == opened
    assert (writer is not UNOPENED, judge is not UNOPENED) == ("policy" in whom, "judge" in whom)


def test_what_an_arm_reads_is_opened_by_what_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_checkpoint: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data/pairs").mkdir(parents=True)
    for path, schema in {
        "data/hindsights.parquet": schemas.HINDSIGHTS,
        "data/pairs/critiques.parquet": schemas.PAIRS,  # an arm may bear the name of a table
    }.items():
        schema.to_frame().write_parquet(path)
        assert build_pairs.what_it_reads(Path(path), "float32").schema == schema
    assert build_pairs.what_it_reads(Path("data/feedback.parquet"), "float32") is None
    assert isinstance(build_pairs.what_it_reads(tiny_checkpoint, "float32"), Checkpoint)
