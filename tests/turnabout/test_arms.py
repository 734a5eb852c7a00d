"""How arms build on one another: by a policy or by pairs that are read, never on what does not exist or in circles."""

from collections.abc import Callable
from typing import Any, Literal

import polars as pl
import pytest
from pydantic import TypeAdapter, ValidationError

from turnabout.arms import Arm, Arms
from turnabout.losses.dpo import DPO
from turnabout.losses.kto import KTO
from turnabout.preferences import RuleContext, Rule
from turnabout.preferences.edits import Edits
from turnabout.preferences.unary import Unary

FEEDBACK = "data/feedback.parquet"


class FromPairs(Rule):
    """A rule that works on another arm's pairs, or on the logs where `arm` is empty."""

    rule: Literal["from_pairs"] = "from_pairs"
    arm: str = ""

    @property
    def reads(self) -> str:
        return f"data/pairs/{self.arm}.parquet" if self.arm else FEEDBACK

    def build_pairs(self, context: RuleContext) -> pl.DataFrame:
        return context.extra_input


def arm(policy: str = "backbone", pairs_of: str = "") -> Arm:
    rule = FromPairs(arm=pairs_of)
    training: Any = {"loss": DPO(), "learning_rate": 1e-4, "epochs": 1}
    return Arm(policy=policy, reads=rule.reads, pairs=rule, train=training)


def validated(**arms: Arm) -> dict[str, Arm]:
    return TypeAdapter(Arms).validate_python(arms)


def test_an_arm_may_build_on_the_pairs_and_the_model_of_others() -> None:
    arms = {"first": arm(), "second": arm("assistants/first"), "third": arm("assistants/second", pairs_of="first")}
    assert validated(**arms) == arms


@pytest.mark.parametrize(
    ("arms", "told"),
    [
        (lambda: {"a": arm(pairs_of="b")}, r"a.reads: 'data/pairs/b.parquet' is not one of \['data/pairs/a.parquet'\]"),
        (lambda: {"a": arm(pairs_of="a")}, r"and not its own"),
        (lambda: {"a": arm("assistants/b")}, r"'assistants/b' is not one of \['backbone', 'assistants/a'\]"),
        (lambda: {"a": arm(pairs_of="b"), "b": arm(pairs_of="a")}, r"in a circle, ([ab] before ){2}[ab];"),
        (lambda: {"a": arm(pairs_of="b"), "b": arm("assistants/a")}, r"in a circle, ([ab] before ){2}[ab];"),
    ],
)
def test_what_does_not_exist_or_waits_for_itself_is_refused(arms: Callable[[], dict[str, Arm]], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        validated(**arms())


def test_an_arm_reads_what_its_rule_needs_by_its_knobs() -> None:
    with pytest.raises(ValidationError, match=r"'data/feedback.parquet' but rule 'from_pairs' needs 'data/pairs/x"):
        Arm(policy="backbone", reads=FEEDBACK, pairs=FromPairs(arm="x"), train=arm().train)


def test_a_loss_on_pairs_refuses_a_rule_that_judges_single_replies_and_names_one_that_can() -> None:
    training: Any = {"learning_rate": 1e-4, "epochs": 1}
    with pytest.raises(ValidationError, match=r"'dpo' learns from \['pairs'\] but rule 'unary' .* one of \['kto'\]"):
        Arm(policy="backbone", reads=FEEDBACK, pairs=Unary(), train={"loss": DPO(), **training})
    assert Arm(policy="backbone", reads=FEEDBACK, pairs=Unary(), train={"loss": KTO(), **training})
    assert Arm(policy="backbone", reads=FEEDBACK, pairs=Edits(), train={"loss": KTO(), **training})
