"""Section `arms`: pairs, training and dependencies of each arm."""

from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, SerializeAsAny, model_validator

from turnabout.core.config import Count, Section, Share, resolve
from turnabout.generation.registry import AnyModel
from turnabout.losses import LOSSES
from turnabout.preferences import RULES, Rule
from turnabout.quality.settings import Quality
from turnabout.training.assistant.train import ArmTraining

#: A field that holds one rule, chosen by its key `rule`.
AnyRule = Annotated[SerializeAsAny[Rule], BeforeValidator(partial(resolve, RULES, "rule"))]

ArmName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]

#: Names that the results use beside those of the arms.
RESERVED_NAMES = {"untrained", "simulated"}

#: Folder of the pairs of all arms.
PAIRS_FOLDER = "data/pairs/"


class BuildPairs(Section):
    """Section `build_pairs` of `params.yaml`."""

    judge: AnyModel
    """The model that answers the questions of rules with a judge."""
    max_prompt_tokens: Count
    """Longest prompt of a pair, in tokens; older messages are dropped first."""
    max_new_tokens: Count
    """Longest reply that the policy writes, in tokens; a reply that is cut off there is never used."""
    max_cut_off: Share
    """Largest share of the policy's replies that may be cut off; beyond it the stage stops."""
    batch_size: Count
    quality: Quality
    """Measures and filters of every arm's pairs."""


class Arm(Section):
    """One entry of `arms`: a policy, a pair rule and a training."""

    renamed_keys: ClassVar = {"construct": "pairs"}

    policy: str
    """The model that answers and is trained: `backbone`, or `assistants/<arm>` for a further round of that arm."""
    reads: str
    """Path of the one further output that its rule needs; it becomes a DVC dependency."""
    pairs: AnyRule
    train: ArmTraining

    @model_validator(mode="after")
    def _check_reads(self) -> "Arm":
        if self.reads != self.pairs.reads:
            raise ValueError(f"reads: '{self.reads}' but rule '{self.pairs.rule}' needs '{self.pairs.reads}'")
        return self

    @model_validator(mode="after")
    def _check_loss(self) -> "Arm":
        rule, loss = self.pairs, self.train.loss
        if rule.makes not in loss.learns_from:
            able = sorted(name for name, known in LOSSES.items() if rule.makes in known.learns_from)
            raise ValueError(
                f"train.loss: '{loss.loss}' learns from {sorted(loss.learns_from)} but rule '{rule.rule}' makes "
                f"{rule.makes} rows; use one of {able}"
            )
        return self


def check_names(arms: dict[str, Arm]) -> dict[str, Arm]:
    """Check that no arm has a name that is reserved in the results.

    Returns the arms or raises `ValueError`.
    """
    if reserved := sorted(RESERVED_NAMES & set(arms)):
        raise ValueError(f"the names {reserved} are reserved for other columns of the results; rename the arm")
    return arms


def check_policies(arms: dict[str, Arm]) -> dict[str, Arm]:
    """Check that each policy is the backbone or another arm's assistant.

    Returns the arms or raises `ValueError`.
    """
    known = ["backbone", *(f"assistants/{name}" for name in arms)]
    for name, arm in arms.items():
        if arm.policy not in known or arm.policy == f"assistants/{name}":
            raise ValueError(f"{name}.policy: '{arm.policy}' is not one of {known} (and not itself)")
    return arms


def check_pairs_read(arms: dict[str, Arm]) -> dict[str, Arm]:
    """Check that pairs that an arm reads are built by another arm.

    Returns the arms or raises `ValueError`.
    """
    known = [build_pairs_path(name) for name in arms]
    for name, arm in arms.items():
        if arm.reads.startswith(PAIRS_FOLDER) and (arm.reads not in known or arm.reads == build_pairs_path(name)):
            raise ValueError(f"{name}.reads: '{arm.reads}' is not one of {known} (and not its own)")
    return arms


def check_acyclic(arms: dict[str, Arm]) -> dict[str, Arm]:
    """Check that arm dependencies are acyclic.

    Returns the arms or raises `ValueError`. An arm depends on another through its policy or through the pairs that it
    reads.
    """
    arm_of_output: dict[str, str] = {}
    for name in arms:
        arm_of_output[f"assistants/{name}"] = name
        arm_of_output[build_pairs_path(name)] = name
    needed_arms: dict[str, set[str]] = {}
    for name, arm in arms.items():
        needed_arms[name] = {arm_of_output[output] for output in (arm.policy, arm.reads) if output in arm_of_output}
    try:
        TopologicalSorter(needed_arms).prepare()
    except CycleError as error:
        circle = " before ".join(error.args[1])
        raise ValueError(
            f"arms depend on one another in a circle, {circle}; set the policy of one of them to 'backbone', or choose "
            "a rule that reads the logs"
        ) from error
    return arms


def build_pairs_path(arm: str) -> str:
    """Return the path of an arm's pairs."""
    return f"{PAIRS_FOLDER}{arm}.parquet"


Arms = Annotated[
    dict[ArmName, Arm],
    Field(min_length=1),
    AfterValidator(check_names),
    AfterValidator(check_policies),
    AfterValidator(check_pairs_read),
    AfterValidator(check_acyclic),
]
