"""`params.yaml` as frozen, typed sections.

There is one section per stage, and one entry of `arms` per arm. Settings of stages have no default in code:
`params.yaml` is their only source. Settings of a method default to the values of its paper.
"""

import contextlib
from pathlib import Path
from typing import ClassVar

import yaml
from pydantic import Field, ValidationError, model_validator

from turnabout.ablations.arm import Ablate, UserArm
from turnabout.arms import Arm, ArmName, Arms, BuildPairs
from turnabout.augment import AUGMENTERS
from turnabout.augment.settings import Augment
from turnabout.cleaning.cleaner import Clean
from turnabout.core.config import Section, convert_validation_error, convert_yaml_error
from turnabout.core.splitting import Split
from turnabout.errors import ConfigError
from turnabout.feedback.mining import Mine
from turnabout.intents.flipping import Flip
from turnabout.intents.writing import Intend
from turnabout.metrics.settings import Evaluate
from turnabout.models.checkpoints import Backbone
from turnabout.preferences.base import LOGS_ONLY
from turnabout.report.inputs import Report
from turnabout.simulation.rollouts import Simulate
from turnabout.sources.ingest_filter import Ingest
from turnabout.training.assistant.train import TrainAssistant
from turnabout.training.reward_model import TrainReward
from turnabout.training.user_model.train import TrainUser


class Params(Section):
    """The whole of `params.yaml`."""

    renamed_keys: ClassVar = {"construct": "build_pairs"}

    seed: int
    backbone: Backbone
    ingest: Ingest
    clean: Clean
    split: Split
    mine: Mine
    intend: Intend
    flip: Flip
    train_user: TrainUser
    augment: Augment
    build_pairs: BuildPairs
    train_assistant: TrainAssistant
    arms: Arms
    train_reward: TrainReward
    simulate: Simulate
    evaluate: Evaluate
    report: Report
    ablate: Ablate
    user_arms: dict[ArmName, UserArm] = Field(min_length=2)

    def get_arm(self, name: str) -> Arm:
        """Return the arm of that name. Raises `ConfigError` that lists the arms."""
        if name not in self.arms:
            raise ConfigError(f"arm '{name}' is not one of {sorted(self.arms)} in params.yaml")
        return self.arms[name]

    def get_user_arm(self, name: str) -> UserArm:
        """Return the user model's arm of that name.

        Raises `ConfigError` that lists the arms.
        """
        if name not in self.user_arms:
            raise ConfigError(f"user arm '{name}' is not one of {sorted(self.user_arms)} in params.yaml")
        return self.user_arms[name]

    @model_validator(mode="after")
    def _check_weak_categories(self) -> "Params":
        augmented = self.augment.weak
        for name, arm in self.arms.items():
            used = getattr(arm.pairs, "weak", augmented)
            if arm.reads != LOGS_ONLY and set(used) != set(augmented):
                raise ValueError(
                    f"arms.{name}.pairs.weak: {used} but augment.weak is {augmented}; "
                    f"{arm.pairs.rule} would get replies without critiques, or miss some; make both the same"
                )
        return self

    @model_validator(mode="after")
    def _check_tables_read(self) -> "Params":
        table_of_path = {f"data/{table}.parquet": table for table in AUGMENTERS}
        written = {augmenter.writes for augmenter in self.augment.augmenters}
        for name, arm in self.arms.items():
            table = table_of_path.get(arm.reads)
            if table is not None and table not in written:
                raise ValueError(f"arms.{name} reads {arm.reads}, but augment.augmenters has no {{writes: {table}}}")
        return self


def load_params(path: Path) -> Params:
    """Return the content of `params.yaml`.

    Paths and names in it are those of the project, the folder of `path`. Raises `ConfigError` that lists every mistake
    and what was allowed.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        with contextlib.chdir(path.parent):
            return Params.model_validate(content)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; run from the project's root or give --params") from error
    except yaml.YAMLError as error:
        raise convert_yaml_error(str(path), error) from None
    except ValidationError as error:
        raise convert_validation_error(str(path), error) from error
