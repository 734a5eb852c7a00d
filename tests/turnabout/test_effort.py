"""Expected model work, against the sums worked out by hand from the shipped parameters."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import polars as pl
import pytest

from turnabout import schemas
from turnabout.backbones import load
from turnabout.effort import UNBOUNDED, Effort, effort
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.params import Params, load_params
from turnabout.preferences import Material, Rule
from turnabout.preferences.drift import Drift
from turnabout.preferences.follow_up import FollowUp


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


def with_arms(params: Params, **rules: Rule) -> Params:
    """Only these arms, with these rules and the training settings of the shipped ones."""
    arms = {name: params.arms[name].model_copy(update={"construct": rule}) for name, rule in rules.items()}
    return params.model_copy(update={"arms": arms})


def test_replies_of_both_splits_are_written_and_those_a_model_reads_are_scored(params: Params) -> None:
    small = changed(params, "construct", max_prompt_tokens=90, max_new_tokens=10)
    small = with_arms(small, drift=Drift(max_pairs=3), follow_up=FollowUp(prompts=9, k=4))
    assert effort(small, "construct@drift") == Effort(6, 600)  # 3 in each of two splits
    assert effort(small, "construct@follow_up") == Effort(88, 8800)  # (9 + 9 // 4) × 4 written, and scored
    assert effort(with_arms(small, drift=Drift(max_pairs=None)), "construct@drift") == UNBOUNDED


def test_assistant_and_reward_read_both_sides_of_every_pair(params: Params) -> None:
    small = with_arms(params, drift=Drift(max_pairs=5))
    knobs = {"gate_pairs": 4, "gate_steps": 6, "batch_size": 3, "max_length": 100}
    small = changed(changed(small, "train_assistant", **knobs), "train_reward", max_length=50)
    # 10 pairs once, 10 + 4 by the reference, and 6 gate steps of 3 pairs, each perhaps with a pass over the 4; 2 sides
    calls = 2 * (10 + 14 + 6 * (3 + 4))
    assert effort(small, "train_assistant@drift") == Effort(calls, calls * 100)
    assert effort(small, "train_reward@drift") == Effort(20, 1000)
    unbounded = with_arms(params, drift=Drift(max_pairs=None))
    assert effort(unbounded, "train_assistant@drift") == effort(unbounded, "train_reward@drift") == UNBOUNDED


def test_evaluation_counts_every_pass_over_held_out_people(params: Params) -> None:
    small = changed(params, "evaluate", conversations=10, contexts=3, max_length=100, max_new_tokens=7)
    small = with_arms(small, drift=Drift(max_pairs=2), follow_up=FollowUp(prompts=4, k=2))
    read = 2 * 10 * (2 + 2)  # two models: with and without intent; leaving on validation and on test
    written = 2 * 3 + 3 * 3  # two models open three conversations; three assistants answer three contexts
    judged = 3 * 3 * 3  # three scorers read each answer
    ranked = 3 * 2 * (4 + 10)  # three assistants, two sides, at most 4 pairs of drift and 10 of follow_up
    calls = read + written + judged + ranked
    assert effort(small, "evaluate") == Effort(calls, calls * 100 + (written + judged) * 7)
    assert effort(with_arms(small, drift=Drift(max_pairs=None)), "evaluate") == UNBOUNDED


@pytest.fixture
def material(messages: Callable[..., pl.DataFrame], signal: Callable[..., Any], tiny_checkpoint: Path) -> Material:
    """Eight criticised conversations in each of the two splits, and a policy that counts what it is asked."""
    names = {f"{split}{i}": split for split in ("train", "validation") for i in range(8)}
    said = pl.concat([messages(name, "open when?", "nice shop", "I asked when") for name in names])
    people = [{"conversation_id": name, "user_key": name, "split": split} for name, split in names.items()]
    return Material(
        said,
        pl.DataFrame(people, schema=schemas.SPLITS),
        pl.DataFrame([signal(name, 1) for name in names], schema=schemas.FEEDBACK),
        schemas.CRITIQUES.to_frame(),
        ScriptedGenerator(lambda _: "at nine"),
        load(tiny_checkpoint, "float32").chat,
        500,
        20,
        4,
        1,
    )


@pytest.mark.parametrize("rule", [Drift(max_pairs=3), FollowUp(prompts=7, k=3), FollowUp(prompts=1, k=2)])
def test_a_rule_asks_for_as_many_replies_as_it_states_and_no_more(
    material: Material, rule: Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[Any] = []

    def likelihood(_: Any, contexts: list[Any], *__: Any) -> list[float]:
        scored.extend(contexts)
        return [0.0] * len(contexts)

    monkeypatch.setattr("turnabout.preferences.follow_up.follow_up_likelihood", likelihood)
    built = rule.pairs(material)
    policy = cast(ScriptedGenerator, material.policy)
    assert len(policy.asked) == rule.max_replies()  # enough is there to reach the bound
    assert len(scored) == (rule.max_replies() if rule.reads == "models/user" else 0)
    assert 0 < built.height <= len(policy.asked)


def test_a_sequence_of_user_training_has_no_least_length(params: Params) -> None:
    assert effort(changed(params, "train_user", epochs=2, max_tokens=50), "train_user") == Effort(None, 100)


def test_a_stage_without_a_model_asks_nothing(params: Params) -> None:
    assert effort(params, "clean") == Effort(0, 0)
