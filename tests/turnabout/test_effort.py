"""Expected model work, against the sums worked out by hand from the shipped parameters."""

from pathlib import Path

import pytest

from turnabout.effort import UNBOUNDED, Effort, effort
from turnabout.params import Params, load_params


@pytest.fixture
def params() -> Params:
    return load_params(Path(__file__).parents[2] / "params.yaml")


def changed(params: Params, section: str, **knobs: object) -> Params:
    return params.model_copy(update={section: getattr(params, section).model_copy(update=knobs)})


def test_one_intent_per_conversation(params: Params) -> None:
    limits = params.intend.conversations.model_copy(update={"train": 5, "validation": 2, "test": 3})
    small = changed(params, "intend", conversations=limits, max_prompt_tokens=100, max_new_tokens=20)
    assert effort(small, "intend") == Effort(10, 10 * 120)


def test_a_limit_that_is_null_leaves_the_work_unknown(params: Params) -> None:
    limits = params.intend.conversations.model_copy(update={"train": None})
    assert effort(changed(params, "augment", max_replies=None), "augment") == UNBOUNDED
    assert effort(changed(params, "intend", conversations=limits), "intend") == UNBOUNDED


def test_a_simulated_exchange_is_one_reply_and_up_to_three_user_messages(params: Params) -> None:
    knobs = {"conversations": 2, "max_exchanges": 3, "max_resamples": 2}
    small = changed(params, "simulate", max_prompt_tokens=100, user_tokens=10, assistant_tokens=20, **knobs)
    # 2 conversations × 3 exchanges × (3 × 110 user tokens + 120 assistant tokens)
    assert effort(small, "simulate@drift") == Effort(2 * 3 * 4, 6 * 450)


def test_k_replies_are_written_and_scored(params: Params) -> None:
    small = changed(params, "construct", max_prompt_tokens=90, max_new_tokens=10)
    rule = small.arms["follow_up"].construct
    assert effort(small, "construct@follow_up").calls == rule.prompts * rule.k * 2
    assert effort(small, "construct@follow_up").tokens == rule.prompts * rule.k * 2 * 100


def test_a_stage_without_a_model_asks_nothing(params: Params) -> None:
    assert effort(params, "clean") == Effort(0, 0)
