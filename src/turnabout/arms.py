"""Arms: what each builds pairs with and trains with, and how one arm may start from another."""

import warnings
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SerializeAsAny, model_validator

from turnabout.config import Section, resolve
from turnabout.losses import LOSSES, Loss
from turnabout.preferences import RULES, Rule

# Sections are named after their stages; pydantic warns (and mypy errs) because of its deprecated `BaseModel.construct`.
warnings.filterwarnings("ignore", message='Field name "construct"', category=UserWarning)

AnyRule = Annotated[SerializeAsAny[Rule], BeforeValidator(partial(resolve, RULES, "rule"))]
AnyLoss = Annotated[SerializeAsAny[Loss], BeforeValidator(partial(resolve, LOSSES, "loss"))]

#: Names that stand beside the arms' in the results.
TAKEN = {"untrained", "simulated"}


class Training(Section):
    """The `train` half of an arm."""

    loss: AnyLoss
    learning_rate: Annotated[float, Field(gt=0)]
    epochs: Annotated[int, Field(gt=0)]


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


def names_are_free(arms: dict[str, Arm]) -> dict[str, Arm]:
    """The arms, none of which has a name that the results keep for something else."""
    if taken := sorted(TAKEN & set(arms)):
        raise ValueError(f"the names {taken} are kept for other columns of the results; rename the arm")
    return arms


def policies_lead_to_the_backbone(arms: dict[str, Arm]) -> dict[str, Arm]:
    """The arms, each of which starts from the backbone or from an arm that does in the end."""
    policies = {f"assistants/{name}": arm.policy for name, arm in arms.items()}
    known = ["backbone", *policies]
    for name, arm in arms.items():
        if arm.policy not in known or arm.policy == f"assistants/{name}":
            raise ValueError(f"{name}.policy: '{arm.policy}' is not one of {known} (and not itself)")
    try:
        TopologicalSorter({arm: [policy] for arm, policy in policies.items()}).prepare()
    except CycleError as error:
        circle = " before ".join(error.args[1])
        raise ValueError(f"policies go in a circle, {circle}; one of them must start from 'backbone'") from error
    return arms


Arms = Annotated[
    dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Arm],
    Field(min_length=1),
    AfterValidator(names_are_free),
    AfterValidator(policies_lead_to_the_backbone),
]
