"""Expected model work, against the sums worked out by hand from the shipped parameters."""

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
from turnabout.generation.base import Scored
from turnabout.generation.endpoint.config import OpenAI
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.models.checkpoints import load
from turnabout.operations.cost_estimate import UNBOUNDED, Effort, effort
from turnabout.params import Params, load_params
from turnabout.preferences import Material, Rule
from turnabout.preferences.drift import Drift
from turnabout.preferences.follow_up import FollowUp
from turnabout.quality.settings import Highest


@pytest.fixture
def params() -> Params:
    return load_params(ROOT / "params.yaml")


def changed(params: Params, section: str, **knobs: object) -> Params:
    return params.model_copy(update={section: getattr(params, section).model_copy(update=knobs)})


def test_one_intent_per_conversation_asked_for_as_often_as_allowed(params: Params) -> None:
    limits = params.intend.conversations.model_copy(update={"train": 5, "validation": 2, "test": 3})
    small = changed(params, "intend", conversations=limits, max_prompt_tokens=100, max_new_tokens=20, tries=2)
    assert effort(small, "intend") == Effort(20, 20 * 100, 20 * 20)
    assert effort(changed(small, "intend", detail="full"), "intend") == Effort(20, 20 * 400, 20 * 80)
    assert effort(changed(small, "intend", detail="none"), "intend") == Effort(0, 0, 0)


PAID = OpenAI.model_validate(
    {"model": "m", "price": {"input": 1.0, "output": 10.0}, "budget": {"money": 5.0}, "key": None}
)
DEARER = OpenAI.model_validate({"model": "n", "price": {"input": 2.0, "output": 0.0}, "key": None})


def test_a_paid_author_costs_its_price_for_the_tokens_and_has_its_budget(params: Params) -> None:
    limits = params.intend.conversations.model_copy(update={"train": 500_000, "validation": 300_000, "test": 200_000})
    lengths = {"max_prompt_tokens": 100, "max_new_tokens": 20, "tries": 1}
    paid = changed(params, "intend", author=PAID, conversations=limits, **lengths)
    assert effort(paid, "intend") == Effort(10**6, 10**8, 2 * 10**7, 100.0 + 200.0, PAID.budget)
    unknown = changed(paid, "intend", conversations=limits.model_copy(update={"train": None}))
    assert effort(unknown, "intend") == Effort(None, None, None, None, PAID.budget)


def test_what_a_miner_asks_the_logs_decide(params: Params) -> None:
    assert effort(params, "mine") == Effort(0, 0, 0)
    assert effort(changed(params, "mine", miners=[Rubric()], author=PAID), "mine").money is None
    assert effort(changed(params, "mine", miners=[Rubric()]), "mine") == UNBOUNDED


def test_each_augmenter_makes_its_own_number_of_calls_and_each_author_has_its_price(params: Params) -> None:
    knobs = {"max_replies": 5, "max_prompt_tokens": 1000, "max_new_tokens": 30, "author": PAID}
    one = [Critiques(), Rationales()]
    assert effort(changed(params, "augment", augmenters=one, **knobs), "augment")[:3] == (20, 20_000, 600)
    two = [
        Critiques(
            critics=(Critic(perspective="task", author=DEARER), Critic(perspective="form")),
            max_new_tokens=100,
            retries=0,
        )
    ]
    calls = two[0].calls_per_reply()  # one of them the dearer critic's
    found = effort(changed(params, "augment", augmenters=two, **knobs), "augment")
    assert found[:3] == (10 * calls, 10 * calls * 1000, 10 * calls * 100)
    assert found.money == pytest.approx(10 * (calls - 1) * (0.001 + 0.001) + 10 * 0.002)


def test_who_compares_revisions_has_a_price_of_its_own(params: Params) -> None:
    knobs = {"max_replies": 5, "max_prompt_tokens": 1000, "max_new_tokens": 30, "author": PAID}
    # A sentence and 2 × 3 revisions of up to 512 tokens; a judge sees 3 duels in both orders, each up to twice.
    judged = [Critiques(revisions=3, judge=DEARER)]
    found = effort(changed(params, "augment", augmenters=judged, **knobs), "augment")
    assert found.calls == 10 * (1 + 6 + 3 * 2 * 2)
    assert found.money == pytest.approx(10 * (7 * (0.001 + 0.00512) + 12 * 0.002))
    # The user model reads the 6 revisions for nothing.
    read = [Critiques(revisions=3)]
    found = effort(changed(params, "augment", augmenters=read, **knobs), "augment")
    assert found.calls == 10 * (1 + 6 + 6)
    assert found.money == pytest.approx(10 * 7 * (0.001 + 0.00512))


def test_rationales_about_pairs_are_bounded_by_the_pairs_and_not_by_the_replies(params: Params) -> None:
    knobs = {"max_replies": 5, "max_prompt_tokens": 1000, "max_new_tokens": 30}

    def calls(**settings: Any) -> int | None:
        about = [Rationales(about="pairs", **settings)]
        return effort(changed(params, "augment", augmenters=about, **knobs), "augment").calls

    # 10 replies without a pair, and 3 pairs in each split, two kinds: 2 arguments, read in both orders
    assert calls(max_pairs=3) == 10 + 6 * 2 * (2 + 4)
    assert calls(max_pairs=3, by="answers", retries=2) == 10 + 6 * 2 * (2 + 4 * 3)
    assert calls() is None


def test_calls_that_do_not_grow_with_the_replies_are_counted_once(params: Params) -> None:
    knobs = {"max_prompt_tokens": 1000, "max_new_tokens": 30}
    both = [Principles(max_pairs=1, max_feedback=1, clusters=1), Scopes(max_rules=1, max_prompts=10)]
    calls = 2 * (2 + 3 + 3 + 4), 2 * 10 * 2  # of principles, and of scopes
    written = calls[0] * (16 * 20 + 32) + calls[1] * 96
    for replies in (5, None):
        found = effort(changed(params, "augment", augmenters=both, max_replies=replies, **knobs), "augment")
        assert found == Effort(sum(calls), sum(calls) * 1000, written)


def test_a_judge_reads_the_prompt_and_both_replies(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Drift, "max_judgements", lambda _: 4)
    paid = with_arms(
        changed(params, "build_pairs", judge=PAID, max_prompt_tokens=90, max_new_tokens=10), drift=Drift(max_pairs=3)
    )
    # 6 replies of the policy, for nothing, and 4 questions of 90 + 2 × 10 tokens, with answers of 10
    money = pytest.approx(4 * (110 * 1.0 + 10 * 10.0) / 1e6)
    assert effort(paid, "build_pairs@drift") == Effort(6 + 4, 540 + 440, 60 + 40, money, PAID.budget)


def test_a_limit_that_is_null_leaves_the_work_unknown(params: Params) -> None:
    limits = params.intend.conversations.model_copy(update={"train": None})
    assert effort(changed(params, "augment", max_replies=None), "augment") == UNBOUNDED
    assert effort(changed(params, "intend", conversations=limits), "intend") == UNBOUNDED


def test_a_simulated_exchange_is_one_reply_and_up_to_three_user_messages(params: Params) -> None:
    knobs = {"conversations": 2, "max_exchanges": 3, "max_resamples": 2}
    small = changed(params, "simulate", max_prompt_tokens=100, user_tokens=10, assistant_tokens=20, **knobs)
    # 2 conversations × 3 exchanges × (3 × (100 + 10) of the user and 100 + 20 of the assistant)
    assert effort(small, "simulate@drift") == Effort(2 * 3 * 4, 6 * 400, 6 * 50)


def with_arms(params: Params, **rules: Rule) -> Params:
    """Only these arms, with these rules and the training settings of the shipped ones."""
    arms = {name: params.arms[name].model_copy(update={"pairs": rule}) for name, rule in rules.items()}
    return params.model_copy(update={"arms": arms})


def test_replies_of_both_splits_are_written_and_those_a_model_reads_are_scored(params: Params) -> None:
    small = changed(params, "build_pairs", max_prompt_tokens=90, max_new_tokens=10)
    small = with_arms(small, drift=Drift(max_pairs=3), follow_up=FollowUp(prompts=9, k=4))
    assert effort(small, "build_pairs@drift") == Effort(6, 540, 60)  # 3 in each of two splits
    assert effort(small, "build_pairs@follow_up") == Effort(
        88, 44 * 90 + 44 * 100, 440
    )  # (9 + 9 // 4) × 4 written, and scored
    assert effort(with_arms(small, drift=Drift(max_pairs=None)), "build_pairs@drift") == UNBOUNDED


def test_measures_that_need_the_policy_read_both_sides_of_every_pair(params: Params) -> None:
    measured = params.build_pairs.quality.model_copy(update={"ches": Highest(drop_top=0.1)})
    small = changed(params, "build_pairs", max_prompt_tokens=90, max_new_tokens=10, quality=measured)
    small = with_arms(small, drift=Drift(max_pairs=3))
    assert effort(small, "build_pairs@drift") == Effort(6 + 12, 6 * 90 + 12 * 100, 60)


def test_assistant_and_reward_read_both_sides_of_every_pair(params: Params) -> None:
    small = with_arms(params, drift=Drift(max_pairs=5))
    knobs = {"gate_pairs": 4, "gate_steps": 6, "batch_size": 3, "max_length": 100}
    small = changed(changed(small, "train_assistant", **knobs), "train_reward", max_length=50)
    # 10 pairs once, 10 + 4 by the reference, and 6 gate steps of 3 pairs, each perhaps with a pass over the 4; 2 sides
    calls = 2 * (10 + 14 + 6 * (3 + 4))
    assert effort(small, "train_assistant@drift") == Effort(calls, calls * 100, 0)
    assert effort(small, "train_reward@drift") == Effort(20, 1000, 0)
    unbounded = with_arms(params, drift=Drift(max_pairs=None))
    assert effort(unbounded, "train_assistant@drift") == effort(unbounded, "train_reward@drift") == UNBOUNDED


def test_evaluation_counts_every_pass_over_held_out_people(params: Params) -> None:
    small = changed(
        params, "evaluate", conversations=10, contexts=3, max_length=100, ending_length=300, max_new_tokens=7
    )
    small = with_arms(small, drift=Drift(max_pairs=2), follow_up=FollowUp(prompts=4, k=2))
    small = changed(small, "evaluate", items=5, detector=4)
    read = 10 * 3 * 2  # three models with and without intent
    left = 10 * 2 * 2  # leaving of two models on validation and on test
    written = 2 * 3 + 3 * 3  # two players open three conversations; three assistants answer three contexts
    written += 2 * (5 + 5) + 4  # the players answer the items of both adherences; the detector's people are acted
    judged = 3 * 3 * 3  # three scorers read each answer
    ranked = 3 * 2 * (4 + 10)  # three assistants, two sides, at most 4 pairs of drift and 10 of follow_up
    rest = read + written + judged + ranked
    assert effort(small, "evaluate") == Effort(rest + left, rest * 100 + left * 300 + judged * 7, written * 7)
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

    class User(ScriptedGenerator):
        def score(self, prompts: Sequence[Any], turns: Sequence[Any]) -> list[list[Scored]]:
            scored.extend(prompts)
            return super().score(prompts, turns)

    monkeypatch.setattr("turnabout.preferences.follow_up.LocalGenerator", lambda *_: User(str))
    built = rule.pairs(material)
    policy = cast(ScriptedGenerator, material.policy)
    assert len(policy.asked) == rule.max_replies()  # enough is there to reach the bound
    assert len(scored) == (rule.max_replies() if rule.reads == "models/user" else 0)
    assert 0 < built.height <= len(policy.asked)


def test_a_sequence_of_user_training_has_no_least_length(params: Params) -> None:
    assert effort(changed(params, "train_user", epochs=2, max_tokens=50), "train_user") == Effort(None, 100 + 40_960, 0)


def test_an_arm_of_the_user_model_pays_for_the_intents_it_learns_and_is_measured_with(params: Params) -> None:
    author = {"generator": "openai", "model": "m", "key": "K", "price": {"input": 0.0, "output": 1.0}}
    section = params.intend.model_validate({**params.intend.model_dump(), "author": author, "tries": 3})
    wanted = params.ablate.model_validate({"conversations": {"train": 96, "validation": 40, "test": 120}})
    full_intent = params.user_arms["instruct"].model_copy(update={"detail": "full"})
    arms = {**params.user_arms, "full_intent": full_intent}
    params = params.model_copy(update={"intend": section, "ablate": wanted, "user_arms": arms})
    # price per million tokens of 24; high-level intents of 96 + 160 conversations; of 160; and besides full ones of all
    # 256, each in four times the room
    money = {arm: effort(params, f"ablate@{arm}").money for arm in ("instruct", "no_intent", "full_intent")}
    full = 160 + 4 * 256
    assert money == pytest.approx(
        {"instruct": 3 * 256 * 24e-6, "no_intent": 3 * 160 * 24e-6, "full_intent": 3 * full * 24e-6}
    )
    assert effort(params, "ablate@instruct")[:3] == (None, None, 3 * 256 * 24)


def test_a_stage_without_a_model_asks_nothing(params: Params) -> None:
    assert effort(params, "clean") == Effort(0, 0, 0)
