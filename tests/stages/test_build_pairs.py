"""build_pairs: which models it opens for a rule, and what it reads for it."""

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
from turnabout.preferences import Rule, RuleContext
from turnabout.preferences.base import ModelRole

POLICY, BACKBONE = Path("models/assistants/drift"), Path("models/backbone")


class NeedsModels(Rule):
    """A rule that needs the named models."""

    rule: Literal["needs_models"] = "needs_models"
    roles: frozenset[ModelRole] = frozenset()

    @property
    def needs(self) -> frozenset[ModelRole]:
        return self.roles

    def build_pairs(self, context: RuleContext) -> pl.DataFrame:
        return schemas.PAIRS.to_frame()


@pytest.fixture
def settings() -> BuildPairs:
    return load_params(ROOT / "params.yaml").build_pairs


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that were opened, in order.

    Each opening gives a generator of its own.
    """
    opened: list[Path] = []

    def policy(folder: Path, *_: Any) -> ScriptedGenerator:
        opened.append(folder)
        return ScriptedGenerator(lambda _: "")

    monkeypatch.setattr(build_pairs, "open_checkpoint_generator", policy)
    monkeypatch.setattr(build_pairs, "open_configured_model", lambda _, folder, *rest: policy(folder, *rest))
    return opened


@pytest.mark.parametrize(
    ("roles", "policy", "opened"),
    [
        (set(), POLICY, []),
        ({"policy"}, POLICY, [POLICY]),
        ({"judge"}, POLICY, [BACKBONE]),
        ({"policy", "judge"}, POLICY, [POLICY, BACKBONE]),
        ({"policy", "judge"}, BACKBONE, [BACKBONE]),  # one model in both roles is opened once
    ],
)
def test_only_the_models_that_a_rule_needs_are_opened(
    settings: BuildPairs, folders: list[Path], roles: set[ModelRole], policy: Path, opened: list[Path]
) -> None:
    rule = NeedsModels(roles=frozenset(roles))
    generator, judge = build_pairs.open_models(rule, settings, policy=policy, model=BACKBONE, dtype="float32")
    assert folders == opened
    assert (generator is not UNOPENED, judge is not UNOPENED) == ("policy" in roles, "judge" in roles)


def test_extra_input_is_read_by_what_its_path_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_checkpoint: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data/pairs").mkdir(parents=True)
    for path, schema in {
        "data/hindsights.parquet": schemas.HINDSIGHTS,
        "data/pairs/critiques.parquet": schemas.PAIRS,  # an arm may have the name of a table
    }.items():
        schema.to_frame().write_parquet(path)
        assert build_pairs.read_extra_input(Path(path), "float32").schema == schema
    assert build_pairs.read_extra_input(Path("data/feedback.parquet"), "float32") is None
    assert isinstance(build_pairs.read_extra_input(tiny_checkpoint, "float32"), Checkpoint)
