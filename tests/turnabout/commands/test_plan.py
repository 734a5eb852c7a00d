"""Tests of what `turnabout plan` prints."""

import pytest

from tests.source_tree import ROOT
from turnabout.commands.plan import _print_plan
from turnabout.generation.endpoint.config import OpenAI
from turnabout.params import Params, load_params

PAID = {"model": "m", "price": {"input": 1.0, "output": 1.0}, "key": None}
REASONS = {"intend": ["never ran"], "augment": ["after intend"]}


@pytest.fixture
def params() -> Params:
    return load_params(ROOT / "params.yaml")


def print_plan(params: Params, capsys: pytest.CaptureFixture[str], **generator: object) -> list[str]:
    paid = (
        params.intend.model_copy(update={"generator": OpenAI.model_validate(PAID | generator)})
        if generator
        else params.intend
    )
    _print_plan(REASONS, params.model_copy(update={"intend": paid}), {}, 3)
    return capsys.readouterr().out.splitlines()


def test_plan_leaves_out_money_if_no_model_is_paid(params: Params, capsys: pytest.CaptureFixture[str]) -> None:
    heading, intend, *_ = print_plan(params, capsys)
    assert heading.split("  ")[-1].strip() == "seconds last time"
    assert "money" not in heading
    # 80 + 24 + 40 conversations of 128 tokens, answered in 24, up to three times
    assert intend.split() == ["intend", "never", "ran", "432", "55,296", "10,368", "unknown"]


@pytest.mark.parametrize(
    ("budget", "shown"),
    [
        ({}, "–"),
        ({"money": 0.07}, "money 0.07"),
        ({"money": 0.06}, "money 0.06: may stop early"),
        ({"calls": 432, "tokens": 65_663}, "calls 432, tokens 65,663: may stop early"),
    ],
)
def test_plan_compares_the_budget_with_the_expected_costs(
    params: Params, capsys: pytest.CaptureFixture[str], budget: dict[str, float], shown: str
) -> None:
    heading, intend, augment, total = print_plan(params, capsys, budget=budget)
    assert "money ≈" in heading
    assert intend.split("10,368")[1].split() == ["0.07", *shown.split(), "unknown"]
    assert augment.split()[-3:] == ["–", "–", "unknown"]
    assert total.split()[-5:] == ["0.07", "0", "+", "2", "unknown"]
