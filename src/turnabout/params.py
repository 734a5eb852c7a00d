"""`params.yaml` as frozen, typed sections: one section per stage, one entry of `arms` per arm.

Stage knobs have no default here (the YAML is the truth); a method's knobs default to its paper's values.
"""

from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationError, field_validator, model_validator

from turnabout.ablations.arm import UserArm
from turnabout.arms import Arm, ArmName, Arms
from turnabout.augment import AUGMENTERS, Augmenter
from turnabout.config import Section, config_error, resolve, yaml_error
from turnabout.errors import ConfigError
from turnabout.feedback import MINERS, Miner
from turnabout.feedback.signals import WeakCategory
from turnabout.generation.authors import AnyAuthor
from turnabout.preferences.base import NOTHING_MORE
from turnabout.quality.settings import Quality
from turnabout.sources import SOURCES, Source

AnySource = Annotated[SerializeAsAny[Source], BeforeValidator(partial(resolve, SOURCES, "format"))]
AnyMiner = Annotated[SerializeAsAny[Miner], BeforeValidator(partial(resolve, MINERS, "miner"))]
AnyAugmenter = Annotated[SerializeAsAny[Augmenter], BeforeValidator(partial(resolve, AUGMENTERS, "writes"))]

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0)]


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
    """First conversations kept of one person, in order of arrival; null keeps all."""
    scrub: list[
        Literal[
            "url",
            "email",
            "secret",
            "iban",
            "card",
            "ip",
            "national_id",
            "birth_date",
            "phone",
            "address",
            "name",
            "handle",
        ]
    ]
    """Kinds of personal data replaced by typed placeholders."""
    languages: list[str] | None
    """ISO 639 codes of the languages kept; an empty list keeps all and says which is which; null does not ask."""
    toxicity: bool
    """Whether toxic messages get the flag `toxic`; they stay."""
    templates: Annotated[int, Field(ge=2)] | None
    """From so many people with the same first message on, it gets the flag `template`; null never."""
    decontaminate: str
    """File or folder of evaluation sets, a file each: conversations that share text with one go."""
    near_duplicates: Annotated[float, Field(gt=0, le=1)] | None
    """Estimated Jaccard similarity of word 3-grams from which a conversation repeats an earlier one; null keeps all."""


class Split(Section):
    validation: Share
    """Share of users held out for choices (held-out pairs, thresholds)."""
    test: Share
    """Share of users held out for results, where `test_from` is null."""
    test_from: date | None
    """ISO date: conversations from this day on are test, and those with a person seen before it are excluded."""

    @field_validator("test_from", mode="before")
    @classmethod
    def _is_a_day(cls, entry: Any) -> date | None:
        """In quotes: DVC refuses YAML's own dates, and pydantic would take 20180901 for seconds since 1970."""
        if entry is None:
            return None
        try:
            return date.fromisoformat(entry)
        except (TypeError, ValueError) as error:
            raise ValueError(f"'{entry}' is not a day in quotes such as \"2018-09-01\"; give one or null") from error

    @model_validator(mode="after")
    def _leave_somebody_to_train_on(self) -> "Split":
        held_out = self.validation + (self.test if self.test_from is None else 0)
        if held_out >= 1:
            raise ValueError(f"validation and test hold out {held_out:g} of the users; together they must be below 1")
        return self


class MinPrecision(Section):
    """Least precision by label, reached by the lower end of its 95 % interval; null asks for none."""

    sat: Share | None
    dsat: Share | None


class Mine(Section):
    miners: list[AnyMiner] = Field(min_length=1)
    min_confidence: Share
    """Decisions on a reply that are less probable than this are counted but not written."""
    min_precision: MinPrecision
    """What people's labels, where there are any, must show of decisions before pairs are built on them."""
    model: str
    """Output of the graph whose likelihoods miners use which need a language model; not opened unless one does."""
    author: AnyAuthor
    """Who reads follow-ups for a miner that asks questions about them (`rubric`)."""
    batch_size: Count
    """Prompts at once of that model."""


class PerSplit(Section):
    train: Count | None
    validation: Count | None
    test: Count | None


class Intend(Section):
    detail: Literal["none", "high_level", "full"]
    """How much of what a person wants an intent tells: nothing, so that no model is asked; what the conversation is
    about; or all that they say."""
    author: AnyAuthor
    """Who names the intents."""
    conversations: PerSplit
    """Most conversations per split that get an intent (and are flipped); null means all."""
    max_prompt_tokens: Count
    """Longest excerpt of the conversation that its author is shown, in tokens; in detail `full`, 4 times that."""
    max_new_tokens: Count
    """Longest intent, in tokens; in detail `full`, 4 times that."""
    tries: Count
    """How often an intent is asked for at most; where no answer can be used, a general one stands there, marked."""
    max_fallback: Share
    """Largest share of intents that may be unusable for one reason; beyond it, the stage stops and says which."""
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
    packing: bool
    """Several windows in one row of at most `max_length` tokens, each seeing itself alone; no padding is computed."""
    lora_rank: Count | None
    """Rank of the LoRA adapter that is trained beside the new token's embedding; null trains every weight."""
    sampled_softmax: Count | None
    """Words that stand, while training, for all that the training text lacks, drawn at each step; null has them all."""
    batch_size: Count
    """Rows in one step of all processes together: packed ones, or windows where `packing` is off."""
    learning_rate: Rate
    warmup: float = Field(ge=0, lt=1)
    """Share of the optimiser steps over which the learning rate rises."""
    gradient_checkpointing: bool
    """Compute the layers once more for their gradient instead of keeping what they gave."""
    processes: Count
    """Processes of this machine that share each batch: one per GPU, or on the CPU with its threads divided."""

    @model_validator(mode="after")
    def _processes_share_a_batch_evenly(self) -> "TrainUser":
        if self.batch_size % self.processes:
            raise ValueError(
                f"batch_size: {self.processes} processes cannot share {self.batch_size} rows evenly; "
                "make batch_size a multiple of processes"
            )
        return self


class Augment(Section):
    author: AnyAuthor
    """Who writes what augmenters ask for."""
    user: str
    """Output of the graph that speaks as the user where follow-ups score revisions; not opened unless they do."""
    augmenters: list[AnyAugmenter]
    weak: list[WeakCategory]
    """Categories of weak dissatisfaction (`clarification`, `revision`) whose replies are worked on too."""
    max_replies: Count | None
    """Most criticised replies worked on, per split; null means all."""
    max_prompt_tokens: Count
    max_new_tokens: Count
    batch_size: Count

    @field_validator("augmenters")
    @classmethod
    def _each_writes_its_own_table(cls, augmenters: list[Augmenter]) -> list[Augmenter]:
        written = [augmenter.writes for augmenter in augmenters]
        if twice := sorted({table for table in written if written.count(table) > 1}):
            raise ValueError(f"{twice} stand there more than once; each augmenter may be named once")
        for i, augmenter in enumerate(augmenters):
            if missing := sorted(set(augmenter.needs) - set(written[:i])):
                raise ValueError(f"'{augmenter.writes}' needs {missing}, which must be named before it")
        return augmenters


class Construct(Section):
    judge: AnyAuthor
    """Who answers the questions of rules that ask a judge."""
    max_prompt_tokens: Count
    """Longest prompt of a pair, in tokens; older messages are dropped first."""
    max_new_tokens: Count
    batch_size: Count
    quality: Quality
    """What every arm's pairs are measured by, and what drops them."""


class TrainAssistant(Section):
    max_length: Count
    batch_size: Count
    lora_rank: Count
    gate_pairs: Count
    """Pairs that the must-learn gate overfits before real training."""
    gate_steps: Count
    """Most optimiser steps the gate may take."""
    gate_learning_rate: Rate


class TrainReward(Section):
    max_length: Count
    batch_size: Count
    l2: float = Field(gt=0)
    """Strength of the L2 penalty on the reward head."""


class Simulate(Section):
    user: Literal["trained", "prompted"]
    """Who plays the user: the trained user model, or the backbone told to act as one."""
    conversations: Count
    max_exchanges: Count
    min_exchanges: Count
    """Replies the user waits for before it may leave; as many as `max_exchanges`: it never leaves (as in the paper)."""
    user_tokens: Count
    assistant_tokens: Count
    max_prompt_tokens: Count
    temperature: float = Field(ge=0)
    """0 is greedy."""
    top_p: float = Field(gt=0, le=1)
    min_words: Count
    max_words: Count
    forbidden_openings: tuple[str, ...]
    """First words of a user turn that are drawn again, case sensitive; the paper's: I, You, Here."""
    max_resamples: int = Field(ge=0)

    @model_validator(mode="after")
    def _some_length_is_allowed(self) -> "Simulate":
        if self.min_words > self.max_words:
            raise ValueError(f"min_words: {self.min_words} is more than max_words, {self.max_words}")
        return self


class Evaluate(Section):
    conversations: Count
    """Held-out conversations scored for the user model."""
    max_length: Count
    """First tokens of each in which the user's words are foreseen."""
    ending_length: Count
    """Last tokens of each in which leaving is foreseen."""
    contexts: Count
    """Held-out prompts every assistant answers, and held-out people whose first message every model writes."""
    items: Count
    """Items of role adherence, and as many of intent adherence, that every model of the user answers."""
    detector: Count
    """People of the train split whose first message the detector of naturalness sees, once more as an assistant plays
    them."""
    phrases_per_dimension: int = Field(gt=0, le=10)
    """Positive and negative follow-ups per dimension behind a follow-up likelihood; the phrases hold 10 of each."""
    max_new_tokens: Count
    batch_size: Count
    resamples: Count
    """Bootstrap resamples of users behind every interval."""


class Ablate(Section):
    conversations: PerSplit
    """Conversations that arms are trained on (an arm with `share: 1` on all of them), and that all are measured on."""


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
    arms: Arms
    train_reward: TrainReward
    simulate: Simulate
    evaluate: Evaluate
    report: Report
    ablate: Ablate
    user_arms: dict[ArmName, UserArm] = Field(min_length=2)

    def arm(self, name: str) -> Arm:
        """The arm of that name. Raises `ConfigError` naming the arms there are."""
        if name not in self.arms:
            raise ConfigError(f"arm '{name}' is not one of {sorted(self.arms)} in params.yaml")
        return self.arms[name]

    def user_arm(self, name: str) -> UserArm:
        """The arm of the user model of that name. Raises `ConfigError` naming those there are."""
        if name not in self.user_arms:
            raise ConfigError(f"user arm '{name}' is not one of {sorted(self.user_arms)} in params.yaml")
        return self.user_arms[name]

    @model_validator(mode="after")
    def _replies_of_arms_are_augmented(self) -> "Params":
        wanted = self.augment.weak
        for name, arm in self.arms.items():
            came = getattr(arm.construct, "weak", wanted)
            if arm.reads != NOTHING_MORE and set(came) != set(wanted):
                raise ValueError(
                    f"arms.{name}.construct.weak: {came} but augment.weak is {wanted}; "
                    f"{arm.construct.rule} would get replies without critiques, or miss some; make both the same"
                )
        return self

    @model_validator(mode="after")
    def _tables_of_arms_are_written(self) -> "Params":
        tables = {f"data/{table}.parquet": table for table in AUGMENTERS}
        written = {augmenter.writes for augmenter in self.augment.augmenters}
        for name, arm in self.arms.items():
            if arm.reads in tables and (table := tables[arm.reads]) not in written:
                raise ValueError(f"arms.{name} reads {arm.reads}, but augment.augmenters has no {{writes: {table}}}")
        return self


def load_params(path: Path) -> Params:
    """The whole of `params.yaml`. Raises `ConfigError` naming every mistake and what was allowed."""
    try:
        return Params.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; run from the project's root or give --params") from error
    except yaml.YAMLError as error:
        raise yaml_error(str(path), error) from None
    except ValidationError as error:
        raise config_error(str(path), error) from error
