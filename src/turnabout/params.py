"""`params.yaml` as frozen, typed sections: one section per stage, one entry of `arms` per arm.

Stage knobs have no default here (the YAML is the truth); a method's knobs default to its paper's values.
"""

import warnings
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationError, model_validator

from turnabout.augment import AUGMENTERS, Augmenter
from turnabout.config import Section, config_error, resolve
from turnabout.errors import ConfigError
from turnabout.feedback import MINERS, Miner
from turnabout.losses import LOSSES, Loss
from turnabout.preferences import RULES, Rule
from turnabout.sources import SOURCES, Source

# Sections are named after their stages; pydantic warns (and mypy errs) because of its deprecated `BaseModel.construct`.
warnings.filterwarnings("ignore", message='Field name "construct"', category=UserWarning)

AnySource = Annotated[SerializeAsAny[Source], BeforeValidator(partial(resolve, SOURCES, "format"))]
AnyMiner = Annotated[SerializeAsAny[Miner], BeforeValidator(partial(resolve, MINERS, "miner"))]
AnyAugmenter = Annotated[SerializeAsAny[Augmenter], BeforeValidator(partial(resolve, AUGMENTERS, "writes"))]
AnyRule = Annotated[SerializeAsAny[Rule], BeforeValidator(partial(resolve, RULES, "rule"))]
AnyLoss = Annotated[SerializeAsAny[Loss], BeforeValidator(partial(resolve, LOSSES, "loss"))]

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(gt=0)]


class Backbone(Section):
    name: str
    """An embedded name (see `turnabout.backbones`), a Hugging Face Hub id, or a local checkpoint folder."""
    dtype: Literal["bfloat16", "float32"]
    """Precision of the weights for generation and scoring; training keeps float32 master weights."""


class Ingest(Section):
    watch: str
    """File or folder that DVC watches; every source path must lie inside it, so that new logs are noticed."""
    sources: list[AnySource] = Field(min_length=1)


class Clean(Section):
    min_messages: Count
    """Shortest conversation kept, in messages."""
    max_conversations_per_person: Count | None
    """Earliest conversations kept of one person; null keeps all."""
    scrub: list[Literal["email", "url", "phone", "handle"]]
    """Kinds of personal data replaced by typed placeholders."""


class Split(Section):
    validation: Share
    """Share of users held out for choices (held-out pairs, thresholds)."""
    test: Share
    """Share of users held out for results, where `test_from` is null."""
    test_from: str | None
    """ISO date: conversations from this day on are test, and those with a person seen before it are excluded."""


class Mine(Section):
    miners: list[AnyMiner] = Field(min_length=1)
    min_confidence: Share
    """Signals below this confidence are counted but not written."""


class PerSplit(Section):
    train: Count | None
    validation: Count | None
    test: Count | None


class Intend(Section):
    conversations: PerSplit
    """Most conversations per split that get an intent (and are flipped); null means all."""
    max_prompt_tokens: Count
    """Longest excerpt of the conversation shown to the author of the intent, in tokens."""
    max_new_tokens: Count
    batch_size: Count


class Flip(Section):
    mirror: bool
    """Also learn from the other speaker's side of a training conversation (logs of people talking to people)."""


class TrainUser(Section):
    epochs: Count
    max_length: Count
    """Longest training sequence, in tokens; longer conversations are cut at message boundaries, intent kept."""
    max_tokens: Count | None
    """Training stops after this many tokens of one epoch; null uses every sample."""
    batch_size: Count
    learning_rate: float
    warmup: Share


class Augment(Section):
    augmenters: list[AnyAugmenter]
    clarifications: bool
    """Whether replies that users only asked back about are worked on too."""
    max_replies: Count | None
    """Most criticised replies worked on, per split; null means all."""
    max_prompt_tokens: Count
    max_new_tokens: Count
    batch_size: Count


class Construct(Section):
    max_prompt_tokens: Count
    """Longest prompt of a pair, in tokens; older messages are dropped first."""
    max_new_tokens: Count
    batch_size: Count


class TrainAssistant(Section):
    max_length: Count
    batch_size: Count
    lora_rank: Count
    gate_pairs: Count
    """Pairs that the must-learn gate overfits before real training."""
    gate_steps: Count
    """Most optimiser steps the gate may take."""
    gate_learning_rate: float


class Training(Section):
    """The `train` half of an arm."""

    loss: AnyLoss
    learning_rate: float
    epochs: Count


class Arm(Section):
    policy: str
    """The model that answers and is trained: `backbone`, or `assistants/<arm>` for a further round of that arm."""
    reads: str
    """The one further output its rule needs, as a path (DVC wires exactly that)."""
    construct: AnyRule  # type: ignore[assignment]
    train: Training

    @model_validator(mode="after")
    def _reads_what_its_rule_needs(self) -> "Arm":
        if self.reads != self.construct.reads:
            raise ValueError(f"reads: '{self.reads}' but rule '{self.construct.rule}' needs '{self.construct.reads}'")
        return self


class TrainReward(Section):
    max_length: Count
    batch_size: Count
    l2: float
    """Strength of the L2 penalty on the reward head."""


class Simulate(Section):
    user: Literal["trained", "prompted"]
    """Who plays the user: the trained user model, or the backbone told to act as one."""
    conversations: Count
    max_exchanges: Count
    user_tokens: Count
    assistant_tokens: Count
    max_prompt_tokens: Count
    temperature: float
    top_p: Share
    min_words: Count
    max_words: Count
    max_resamples: int = Field(ge=0)


class Evaluate(Section):
    conversations: Count
    """Held-out conversations scored for the user model."""
    max_length: Count
    contexts: Count
    """Held-out prompts every assistant answers."""
    phrases_per_dimension: Count
    """Positive and negative follow-ups per dimension behind a follow-up likelihood (at most 10)."""
    max_new_tokens: Count
    batch_size: Count
    resamples: Count
    """Bootstrap resamples of users behind every interval."""


class Report(Section):
    examples: Count
    """Example exchanges shown per kind of feedback, and conversations per assistant."""


class Params(Section):
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
    construct: Construct  # type: ignore[assignment]
    train_assistant: TrainAssistant
    arms: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Arm]
    train_reward: TrainReward
    simulate: Simulate
    evaluate: Evaluate
    report: Report

    @model_validator(mode="after")
    def _policies_exist(self) -> "Params":
        known = ["backbone", *(f"assistants/{arm}" for arm in self.arms)]
        for name, arm in self.arms.items():
            if arm.policy not in known or arm.policy == f"assistants/{name}":
                raise ValueError(f"arms.{name}.policy: '{arm.policy}' is not one of {known} (and not itself)")
        if taken := {"untrained", "simulated"} & set(self.arms):
            raise ValueError(
                f"arms: the names {sorted(taken)} are kept for other columns of the results; rename the arm"
            )
        return self


def load_params(path: Path) -> Params:
    """The whole of `params.yaml`. Raises `ConfigError` naming every mistake and what was allowed."""
    try:
        return Params.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; run from the project's root or give --params") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {error}") from error
    except ValidationError as error:
        raise config_error(str(path), error) from error
