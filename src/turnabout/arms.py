"""Arms: what each builds pairs with and trains with, and how one arm may start from another."""

from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, SerializeAsAny, model_validator

from turnabout.core.config import Count, Section, resolve
from turnabout.generation.registry import AnyAuthor
from turnabout.losses import LOSSES, Loss
from turnabout.preferences import RULES, Rule
from turnabout.quality.settings import Quality

AnyRule = Annotated[SerializeAsAny[Rule], BeforeValidator(partial(resolve, RULES, "rule"))]
AnyLoss = Annotated[SerializeAsAny[Loss], BeforeValidator(partial(resolve, LOSSES, "loss"))]

ArmName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]

#: Names that stand beside the arms' in the results.
TAKEN = {"untrained", "simulated"}

#: The folder of all arms' pairs.
PAIRS = "data/pairs/"


class BuildPairs(Section):
    judge: AnyAuthor
    """Who answers the questions of rules that ask a judge."""
    max_prompt_tokens: Count
    """Longest prompt of a pair, in tokens; older messages are dropped first."""
    max_new_tokens: Count
    batch_size: Count
    quality: Quality
    """What every arm's pairs are measured by, and what drops them."""


class Training(Section):
    """The `train` half of an arm."""

    loss: AnyLoss
    learning_rate: Annotated[float, Field(gt=0)]
    epochs: Annotated[int, Field(gt=0)]


class Arm(Section):
    renamed: ClassVar = {"construct": "pairs"}

    policy: str
    """The model that answers and is trained: `backbone`, or `assistants/<arm>` for a further round of that arm."""
    reads: str
    """The one further output its rule needs, as a path (DVC wires exactly that)."""
    pairs: AnyRule
    train: Training

    @model_validator(mode="after")
    def _reads_what_its_rule_needs(self) -> "Arm":
        if self.reads != self.pairs.reads:
            raise ValueError(f"reads: '{self.reads}' but rule '{self.pairs.rule}' needs '{self.pairs.reads}'")
        return self

    @model_validator(mode="after")
    def _loss_learns_from_what_its_rule_makes(self) -> "Arm":
        rule, loss = self.pairs, self.train.loss
        if rule.makes not in loss.learns_from:
            able = sorted(name for name, known in LOSSES.items() if rule.makes in known.learns_from)
            raise ValueError(
                f"train.loss: '{loss.loss}' learns from {sorted(loss.learns_from)} but rule '{rule.rule}' makes "
                f"{rule.makes} rows; use one of {able}"
            )
        return self


def names_are_free(arms: dict[str, Arm]) -> dict[str, Arm]:
    """The arms, none of which has a name that the results keep for something else."""
    if taken := sorted(TAKEN & set(arms)):
        raise ValueError(f"the names {taken} are kept for other columns of the results; rename the arm")
    return arms


def policies_exist(arms: dict[str, Arm]) -> dict[str, Arm]:
    """The arms, each of which starts from the backbone or from another arm's assistant."""
    known = ["backbone", *(f"assistants/{name}" for name in arms)]
    for name, arm in arms.items():
        if arm.policy not in known or arm.policy == f"assistants/{name}":
            raise ValueError(f"{name}.policy: '{arm.policy}' is not one of {known} (and not itself)")
    return arms


def pairs_exist(arms: dict[str, Arm]) -> dict[str, Arm]:
    """The arms; what one reads of another arm is pairs that this one builds."""
    known = [pairs_of(name) for name in arms]
    for name, arm in arms.items():
        if arm.reads.startswith(PAIRS) and (arm.reads not in known or arm.reads == pairs_of(name)):
            raise ValueError(f"{name}.reads: '{arm.reads}' is not one of {known} (and not its own)")
    return arms


def none_waits_for_itself(arms: dict[str, Arm]) -> dict[str, Arm]:
    """The arms, in which a way from arm to arm, by policies and by pairs that are read, has an end."""
    made = {f"assistants/{name}": name for name in arms} | {pairs_of(name): name for name in arms}
    waits = {name: {made[needed] for needed in (arm.policy, arm.reads) if needed in made} for name, arm in arms.items()}
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        circle = " before ".join(error.args[1])
        raise ValueError(
            f"arms go in a circle, {circle}; the policy of one of them must be 'backbone', or its rule read the logs"
        ) from error
    return arms


def pairs_of(arm: str) -> str:
    """Where an arm's pairs are."""
    return f"{PAIRS}{arm}.parquet"


Arms = Annotated[
    dict[ArmName, Arm],
    Field(min_length=1),
    AfterValidator(names_are_free),
    AfterValidator(policies_exist),
    AfterValidator(pairs_exist),
    AfterValidator(none_waits_for_itself),
]
