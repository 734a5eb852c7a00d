"""Cost estimates, against sums computed by hand from the shipped parameters."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import polars as pl
import pytest

from tests.source_tree import ROOT
from turnabout.augment.critiques.augmenter import Critiques
from turnabout.augment.critiques.units import Critic
from turnabout.augment.principles.augmenter import Principles
from turnabout.augment.rationales.augmenter import Rationales
from turnabout.augment.scopes.augmenter import Scopes
from turnabout.core import schemas
from turnabout.feedback.miners.rubric import Rubric
from turnabout.generation.base import TurnScore
from turnabout.generation.endpoint.config import OpenAI
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.models.checkpoints import load_checkpoint
from turnabout.operations.cost_estimate import UNBOUNDED, CostEstimate, estimate_cost
from turnabout.params import Params, load_params
from turnabout.preferences import Rule, RuleContext
from turnabout.preferences.drift import Drift
from turnabout.preferences.follow_up import FollowUp
from turnabout.quality.settings import TopShare


@pytest.fixture
def params() -> Params:
    return load_params(ROOT / "params.yaml")


def change(params: Params, section: str, **settings: object) -> Params:
    """Return the parameters with changed settings of one section."""
    return params.model_copy(update={section: getattr(params, section).model_copy(update=settings)})


def test_intend_counts_every_try_of_one_intent_per_conversation(params: Params) -> None:
    limits = params.intend.conversations.model_copy(update={"train": 5, "validation": 2, "test": 3})
    small = change(params, "intend", conversations=limits, max_prompt_tokens=100, max_new_tokens=20, tries=2)
    assert estimate_cost(small, "intend") == CostEstimate(20, 20 * 100, 20 * 20)
    assert estimate_cost(change(small, "intend", detail="full"), "intend") == CostEstimate(20, 20 * 400, 20 * 80)
    assert estimate_cost(change(small, "intend", detail="none"), "intend") == CostEstimate(0, 0, 0)


PAID = OpenAI.model_validate(
    {"model": "m", "price": {"input": 1.0, "output": 10.0}, "budget": {"money": 5.0}, "key": None}
)
DEARER = OpenAI.model_validate({"model": "n", "price": {"input": 2.0, "output": 0.0}, "key": None})


def test_paid_model_costs_its_price_and_has_its_budget(params: Params) -> None:
    limits = params.intend.conversations.model_copy(update={"train": 500_000, "validation": 300_000, "test": 200_000})
    lengths = {"max_prompt_tokens": 100, "max_new_tokens": 20, "tries": 1}
    paid = change(params, "intend", generator=PAID, conversations=limits, **lengths)
    assert estimate_cost(paid, "intend") == CostEstimate(
        calls=10**6, input_tokens=10**8, output_tokens=2 * 10**7, money=100.0 + 200.0, budget=PAID.budget
    )
    unknown = change(paid, "intend", conversations=limits.model_copy(update={"train": None}))
    assert estimate_cost(unknown, "intend") == UNBOUNDED._replace(money=None, budget=PAID.budget)


def test_calls_of_a_model_miner_are_unknown(params: Params) -> None:
    assert estimate_cost(params, "mine") == CostEstimate(0, 0, 0)
    assert estimate_cost(change(params, "mine", miners=[Rubric()], generator=PAID), "mine").money is None
    assert estimate_cost(change(params, "mine", miners=[Rubric()]), "mine") == UNBOUNDED


def test_augmenters_have_their_own_calls_and_models_their_price(params: Params) -> None:
    limits = {"max_replies": 5, "max_prompt_tokens": 1000, "max_new_tokens": 30, "generator": PAID}
    free = [Critiques(), Rationales()]
    assert estimate_cost(change(params, "augment", augmenters=free, **limits), "augment")[:3] == (20, 20_000, 600)
    paid = [
        Critiques(
            critics=(Critic(perspective="task", generator=DEARER), Critic(perspective="form")),
            max_new_tokens=100,
            retries=0,
        )
    ]
    calls = paid[0].calls_per_reply()  # one of them by the more expensive critic
    cost = estimate_cost(change(params, "augment", augmenters=paid, **limits), "augment")
    assert cost[:3] == (10 * calls, 10 * calls * 1000, 10 * calls * 100)
    assert cost.money == pytest.approx(10 * (calls - 1) * (0.001 + 0.001) + 10 * 0.002)


def test_judge_of_revisions_has_its_own_price(params: Params) -> None:
    limits = {"max_replies": 5, "max_prompt_tokens": 1000, "max_new_tokens": 30, "generator": PAID}
    # A sentence and 2 × 3 revisions of up to 512 tokens; a judge reads 3 comparisons in both orders, each up to twice.
    judged = [Critiques(revisions=3, judge=DEARER)]
    cost = estimate_cost(change(params, "augment", augmenters=judged, **limits), "augment")
    assert cost.calls == 10 * (1 + 6 + 3 * 2 * 2)
    assert cost.money == pytest.approx(10 * (7 * (0.001 + 0.00512) + 12 * 0.002))
    # The user model reads the 6 revisions without a price.
    read = [Critiques(revisions=3)]
    cost = estimate_cost(change(params, "augment", augmenters=read, **limits), "augment")
    assert cost.calls == 10 * (1 + 6 + 6)
    assert cost.money == pytest.approx(10 * 7 * (0.001 + 0.00512))


def test_rationales_about_pairs_are_bounded_by_max_pairs(params: Params) -> None:
    limits = {"max_replies": 5, "max_prompt_tokens": 1000, "max_new_tokens": 30}

    def calls(**settings: Any) -> int | None:
        about = [Rationales(about="pairs", **settings)]
        return estimate_cost(change(params, "augment", augmenters=about, **limits), "augment").calls

    # 10 replies without a pair, and 3 pairs in each split, two kinds: 2 arguments, read in both orders
    assert calls(max_pairs=3) == 10 + 6 * 2 * (2 + 4)
    assert calls(max_pairs=3, by="answers", retries=2) == 10 + 6 * 2 * (2 + 4 * 3)
    assert calls() is None


def test_fixed_calls_of_augmenters_are_counted_once(params: Params) -> None:
    limits = {"max_prompt_tokens": 1000, "max_new_tokens": 30}
    both = [Principles(max_pairs=1, max_feedback=1, clusters=1), Scopes(max_rules=1, max_prompts=10)]
    calls = 2 * (2 + 3 + 3 + 4), 2 * 10 * 2  # of principles, and of scopes
    written = calls[0] * (16 * 20 + 32) + calls[1] * 96
    for replies in (5, None):
        cost = estimate_cost(change(params, "augment", augmenters=both, max_replies=replies, **limits), "augment")
        assert cost == CostEstimate(sum(calls), sum(calls) * 1000, written)


def test_judge_reads_the_prompt_and_both_replies(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Drift, "max_judgements", lambda _: 4)
    paid = with_arms(
        change(params, "build_pairs", judge=PAID, max_prompt_tokens=90, max_new_tokens=10), drift=Drift(max_pairs=3)
    )
    # 6 replies of the policy, without a price, and 4 questions of 90 + 2 × 10 tokens, with answers of 10
    money: Any = pytest.approx(4 * (110 * 1.0 + 10 * 10.0) / 1e6)
    assert estimate_cost(paid, "build_pairs@drift") == CostEstimate(
        calls=6 + 4, input_tokens=540 + 440, output_tokens=60 + 40, money=money, budget=PAID.budget
    )


def test_cost_is_unknown_when_a_limit_is_null(params: Params) -> None:
    limits = params.intend.conversations.model_copy(update={"train": None})
    assert estimate_cost(change(params, "augment", max_replies=None), "augment") == UNBOUNDED
    assert estimate_cost(change(params, "intend", conversations=limits), "intend") == UNBOUNDED


def test_simulated_exchange_is_one_reply_and_three_user_messages(params: Params) -> None:
    limits = {"conversations": 2, "max_exchanges": 3, "max_resamples": 2}
    small = change(params, "simulate", max_prompt_tokens=100, user_tokens=10, assistant_tokens=20, **limits)
    # 2 conversations × 3 exchanges × (3 × (100 + 10) of the user and 100 + 20 of the assistant)
    assert estimate_cost(small, "simulate@drift") == CostEstimate(2 * 3 * 4, 6 * 400, 6 * 50)


def with_arms(params: Params, **rules: Rule) -> Params:
    """Return parameters with only these arms and rules.

    The training settings are those of the shipped arms.
    """
    arms = {name: params.arms[name].model_copy(update={"pairs": rule}) for name, rule in rules.items()}
    return params.model_copy(update={"arms": arms})


def test_build_pairs_counts_replies_of_both_splits_and_scoring(params: Params) -> None:
    small = change(params, "build_pairs", max_prompt_tokens=90, max_new_tokens=10)
    small = with_arms(small, drift=Drift(max_pairs=3), follow_up=FollowUp(prompts=9, k=4))
    assert estimate_cost(small, "build_pairs@drift") == CostEstimate(6, 540, 60)  # 3 in each of two splits
    assert estimate_cost(small, "build_pairs@follow_up") == CostEstimate(
        88, 44 * 90 + 44 * 100, 440
    )  # (9 + 9 // 4) × 4 written, and scored
    assert estimate_cost(with_arms(small, drift=Drift(max_pairs=None)), "build_pairs@drift") == UNBOUNDED


def test_quality_measures_of_the_policy_read_both_sides(params: Params) -> None:
    measured = params.build_pairs.quality.model_copy(update={"ches": TopShare(drop_top=0.1)})
    small = change(params, "build_pairs", max_prompt_tokens=90, max_new_tokens=10, quality=measured)
    small = with_arms(small, drift=Drift(max_pairs=3))
    assert estimate_cost(small, "build_pairs@drift") == CostEstimate(6 + 12, 6 * 90 + 12 * 100, 60)


def test_assistant_and_reward_training_read_both_sides(params: Params) -> None:
    small = with_arms(params, drift=Drift(max_pairs=5))
    limits = {"gate_pairs": 4, "gate_steps": 6, "batch_size": 3, "max_length": 100}
    small = change(change(small, "train_assistant", **limits), "train_reward", max_length=50)
    # 10 pairs once, 10 + 4 by the reference, and 6 gate steps of 3 pairs, each perhaps with a pass over the 4; 2 sides
    calls = 2 * (10 + 14 + 6 * (3 + 4))
    assert estimate_cost(small, "train_assistant@drift") == CostEstimate(calls, calls * 100, 0)
    assert estimate_cost(small, "train_reward@drift") == CostEstimate(20, 1000, 0)
    unbounded = with_arms(params, drift=Drift(max_pairs=None))
    assert estimate_cost(unbounded, "train_assistant@drift") == UNBOUNDED
    assert estimate_cost(unbounded, "train_reward@drift") == UNBOUNDED


def test_evaluate_counts_every_pass_over_held_out_people(params: Params) -> None:
    small = change(
        params, "evaluate", conversations=10, contexts=3, max_length=100, ending_length=300, max_new_tokens=7
    )
    small = with_arms(small, drift=Drift(max_pairs=2), follow_up=FollowUp(prompts=4, k=2))
    small = change(small, "evaluate", items=5, detector=4)
    read = 10 * 3 * 2  # three models with and without intent
    endings = 10 * 2 * 2  # termination of two models on validation and on test
    written = 2 * 3 + 3 * 3  # two user models open three conversations; three assistants answer three contexts
    written += 2 * (5 + 5) + 4  # both answer the items of both adherences; an assistant acts as the detector's people
    scored = 3 * 3 * 3  # three scorers read each answer
    ranked = 3 * 2 * (4 + 10)  # three assistants, two sides, at most 4 pairs of drift and 10 of follow_up
    rest = read + written + scored + ranked
    input_tokens = rest * 100 + endings * 300 + scored * 7
    assert estimate_cost(small, "evaluate") == CostEstimate(rest + endings, input_tokens, written * 7)
    assert estimate_cost(with_arms(small, drift=Drift(max_pairs=None)), "evaluate") == UNBOUNDED


@pytest.fixture
def material(messages: Callable[..., pl.DataFrame], signal: Callable[..., Any], tiny_checkpoint: Path) -> RuleContext:
    """Return eight criticised conversations of each split and a scripted policy."""
    names = {f"{split}{i}": split for split in ("train", "validation") for i in range(8)}
    log = pl.concat([messages(name, "open when?", "nice shop", "I asked when") for name in names])
    people = [{"conversation_id": name, "user_key": name, "split": split} for name, split in names.items()]
    return RuleContext(
        messages=log,
        splits=pl.DataFrame(people, schema=schemas.SPLITS),
        feedback=pl.DataFrame([signal(name, 1) for name in names], schema=schemas.FEEDBACK),
        extra_input=schemas.CRITIQUES.to_frame(),
        policy=ScriptedGenerator(lambda _: "at nine"),
        chat=load_checkpoint(tiny_checkpoint, "float32").chat,
        max_prompt_tokens=500,
        max_new_tokens=20,
        batch_size=4,
        seed=1,
    )


@pytest.mark.parametrize("rule", [Drift(max_pairs=3), FollowUp(prompts=7, k=3), FollowUp(prompts=1, k=2)])
def test_rule_generates_exactly_its_stated_number_of_replies(
    material: RuleContext, rule: Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[Any] = []

    class User(ScriptedGenerator):
        def score(self, prompts: Sequence[Any], turns: Sequence[Any]) -> list[list[TurnScore]]:
            scored.extend(prompts)
            return super().score(prompts, turns)

    monkeypatch.setattr("turnabout.preferences.follow_up.LocalGenerator", lambda *_: User(str))
    built = rule.build_pairs(material)
    policy = cast(ScriptedGenerator, material.policy)
    assert len(policy.prompts) == rule.max_replies()  # the material suffices to reach the bound
    assert len(scored) == (rule.max_replies() if rule.reads == "models/user" else 0)
    assert 0 < built.height <= len(policy.prompts)


def test_calls_of_user_training_are_unknown(params: Params) -> None:
    small = change(params, "train_user", epochs=2, max_tokens=50)
    assert estimate_cost(small, "train_user") == CostEstimate(None, 100 + 40_960, 0)


def test_ablate_pays_for_intents_of_training_and_evaluation(params: Params) -> None:
    generator = {"backend": "openai", "model": "m", "key": "K", "price": {"input": 0.0, "output": 1.0}}
    section = params.intend.model_validate({**params.intend.model_dump(), "generator": generator, "tries": 3})
    sample = params.ablate.model_validate({"conversations": {"train": 96, "validation": 40, "test": 120}})
    full_intent = params.user_arms["instruct"].model_copy(update={"detail": "full"})
    arms = {**params.user_arms, "full_intent": full_intent}
    params = params.model_copy(update={"intend": section, "ablate": sample, "user_arms": arms})
    # The price is per million tokens; an intent has 24. High-level intents of 96 + 160 conversations; of 160; and
    # in addition full intents of all 256, each with four times the tokens.
    money = {arm: estimate_cost(params, f"ablate@{arm}").money for arm in ("instruct", "no_intent", "full_intent")}
    full = 160 + 4 * 256
    assert money == pytest.approx(
        {"instruct": 3 * 256 * 24e-6, "no_intent": 3 * 160 * 24e-6, "full_intent": 3 * full * 24e-6}
    )
    assert estimate_cost(params, "ablate@instruct")[:3] == (None, None, 3 * 256 * 24)


def test_stage_without_a_model_costs_nothing(params: Params) -> None:
    assert estimate_cost(params, "clean") == CostEstimate(0, 0, 0)
