"""Dependencies of arms on one another, through a policy or pairs."""

from collections.abc import Callable
from typing import Any, Literal

import polars as pl
import pytest
from pydantic import TypeAdapter, ValidationError

from turnabout.arms import Arm, Arms
from turnabout.losses.dpo import DPO
from turnabout.losses.kto import KTO
from turnabout.preferences import Rule, RuleContext
from turnabout.preferences.edits import Edits
from turnabout.preferences.unary import Unary

FEEDBACK = "data/feedback.parquet"


class FromPairs(Rule):
    """A rule on another arm's pairs, or on the logs if `arm` is empty."""

    rule: Literal["from_pairs"] = "from_pairs"
    arm: str = ""

    @property
    def reads(self) -> str:
        return f"data/pairs/{self.arm}.parquet" if self.arm else FEEDBACK

    def build_pairs(self, context: RuleContext) -> pl.DataFrame:
        return context.extra_input


def build_arm(policy: str = "backbone", pairs_from: str = "") -> Arm:
    rule = FromPairs(arm=pairs_from)
    training: Any = {"loss": DPO(), "learning_rate": 1e-4, "epochs": 1}
    return Arm(policy=policy, reads=rule.reads, pairs=rule, train=training)


def validate_arms(**arms: Arm) -> dict[str, Arm]:
    return TypeAdapter(Arms).validate_python(arms)


def test_arm_may_use_the_pairs_and_the_model_of_others() -> None:
    arms = {
        "first": build_arm(),
        "second": build_arm("assistants/first"),
        "third": build_arm("assistants/second", pairs_from="first"),
    }
    assert validate_arms(**arms) == arms


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        (
            lambda: {"a": build_arm(pairs_from="b")},
            r"a.reads: 'data/pairs/b.parquet' is not one of \['data/pairs/a.parquet'\]",
        ),
        (lambda: {"a": build_arm(pairs_from="a")}, r"and not its own"),
        (lambda: {"a": build_arm("assistants/b")}, r"'assistants/b' is not one of \['backbone', 'assistants/a'\]"),
        (
            lambda: {"a": build_arm(pairs_from="b"), "b": build_arm(pairs_from="a")},
            r"in a circle, ([ab] before ){2}[ab];",
        ),
        (
            lambda: {"a": build_arm(pairs_from="b"), "b": build_arm("assistants/a")},
            r"in a circle, ([ab] before ){2}[ab];",
        ),
    ],
)
def test_missing_and_circular_dependencies_are_errors(arms: Callable[[], dict[str, Arm]], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        validate_arms(**arms())


def test_arm_must_read_what_its_rule_needs() -> None:
    with pytest.raises(ValidationError, match=r"'data/feedback.parquet' but rule 'from_pairs' needs 'data/pairs/x"):
        Arm(policy="backbone", reads=FEEDBACK, pairs=FromPairs(arm="x"), train=build_arm().train)


def test_loss_on_pairs_refuses_a_rule_of_single_replies() -> None:
    training: Any = {"learning_rate": 1e-4, "epochs": 1}
    with pytest.raises(ValidationError, match=r"'dpo' learns from \['pairs'\] but rule 'unary' .* one of \['kto'\]"):
        Arm(policy="backbone", reads=FEEDBACK, pairs=Unary(), train={"loss": DPO(), **training})
    assert Arm(policy="backbone", reads=FEEDBACK, pairs=Unary(), train={"loss": KTO(), **training})
    assert Arm(policy="backbone", reads=FEEDBACK, pairs=Edits(), train={"loss": KTO(), **training})
