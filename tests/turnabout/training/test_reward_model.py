"""The reward head: fit, accuracy, scores, and saving."""

import numpy as np
import polars as pl
import pytest
import torch

from turnabout.core.messages import Message
from turnabout.errors import ModelError
from turnabout.training.reward_model import (
    TrainReward,
    add_reversed_pairs,
    fit_head,
    load_head,
    measure_accuracy,
    save_head,
    score_completions,
    train_reward,
)

OPTIONS = TrainReward(max_length=100, batch_size=4, l2=1.0)
PAIRS = [(word, f"{word} yes", f"{word} never") for word in ("one", "two", "three", "four", "five", "six")]


def test_head_prefers_the_chosen_replies_also_on_held_out_prompts(tiny, pairs) -> None:
    frame = pl.concat([pairs(*PAIRS), pairs(("seven", "seven yes", "seven never"), split="validation")])
    head, metrics = train_reward(tiny, frame, options=OPTIONS)
    assert (metrics["n_train"], metrics["n_validation"]) == (6, 1)
    assert metrics["train_accuracy"]["value"] == 1.0
    assert metrics["validation_accuracy"]["value"] == 1.0
    prompt: list[Message] = [{"role": "user", "content": "eight"}]
    better, worse = score_completions(
        tiny, {"arm": head}, [prompt, prompt], ["eight yes", "eight never"], batch_size=4
    )["arm"]
    assert better > worse


def test_score_is_the_head_on_the_hidden_state_of_the_end_of_turn(tiny, pairs) -> None:
    head, _ = train_reward(tiny, pairs(*PAIRS), options=OPTIONS)
    prompt: list[Message] = [{"role": "user", "content": "hi"}]
    ids = tiny.chat.encode_prompt(prompt, "assistant") + tiny.chat.encode_completion("you")
    with torch.no_grad():
        hidden = tiny.model(torch.tensor([ids]), output_hidden_states=True).hidden_states[-1][0, -1].numpy()
    prompts: list[list[Message]] = [prompt, [{"role": "user", "content": "a longer one"}]]
    scores = score_completions(tiny, {"arm": head}, prompts, ["you", "me"], batch_size=2)["arm"]
    assert scores[0] == pytest.approx(float(hidden @ head.weight), rel=1e-4)


def test_fit_head_maximises_the_weighted_bradley_terry_likelihood() -> None:
    rng = np.random.default_rng(0)
    differences = rng.normal(size=(40, 3)).astype(np.float32) + np.float32(0.3)
    weight = rng.uniform(0.5, 1.5, 40)
    scale = np.sqrt((differences**2).mean(axis=0)) + 1e-6
    theta = fit_head(differences, weight, l2=2.0) * scale
    # Gradient of Σ wᵢ·log σ(θ·dᵢ) − l2·‖θ‖²/2 vanishes at the maximum.
    standard = differences / scale
    gradient = ((weight / (1 + np.exp(standard @ theta)))[:, None] * standard).sum(axis=0) - 2.0 * theta
    assert np.abs(gradient).max() < 1e-2


def test_uncertain_label_counts_in_both_orders_by_probability() -> None:
    rng = np.random.default_rng(1)
    differences = rng.normal(size=(30, 2)).astype(np.float32) + np.float32(0.4)
    weight, p_win = rng.uniform(0.5, 1.5, 30), np.where(np.arange(30) % 3 == 0, 0.7, 1.0)
    theta = fit_head(*add_reversed_pairs(differences, weight, p_win), l2=1.0)
    scale = np.sqrt((np.concatenate([differences, differences[p_win < 1]]) ** 2).mean(axis=0)) + 1e-6
    standard, scaled = differences / scale, theta * scale
    # Gradient of Σ wᵢ·[pᵢ·log σ(θ·dᵢ) + (1 − pᵢ)·log σ(−θ·dᵢ)] − l2·‖θ‖²/2 vanishes: Σ wᵢ·(pᵢ − σ(θ·dᵢ))·dᵢ = l2·θ.
    gradient = ((weight * (p_win - 1 / (1 + np.exp(-standard @ scaled))))[:, None] * standard).sum(axis=0) - scaled
    assert np.abs(gradient).max() < 1e-2
    assert add_reversed_pairs(differences, weight, np.ones(30))[0].shape == differences.shape


def test_accuracy_has_a_wilson_interval() -> None:
    # 3 of 4 right, z = 1.959964: centre (3 + z²/2)/(4 + z²) = 0.627526,
    # half-width z·√(3·1/4 + z²/4)/(4 + z²) = 0.326885
    accuracy = measure_accuracy(np.array([1.0, 2.0, 0.5, -1.0]))
    assert accuracy["value"] == 0.75
    assert accuracy["low"] == pytest.approx(0.627526 - 0.326885, abs=1e-4)
    assert accuracy["high"] == pytest.approx(0.627526 + 0.326885, abs=1e-4)


def test_accuracy_counts_ties_as_wrong_and_is_null_without_pairs() -> None:
    assert measure_accuracy(np.array([0.0, 1.0]))["value"] == 0.5
    assert measure_accuracy(np.array([])) == {
        "value": None,
        "low": None,
        "high": None,
        "reason": "no pair in this split",
    }


def test_train_reward_gives_a_zero_head_and_a_reason_with_too_few_pairs(tiny, pairs) -> None:
    head, metrics = train_reward(tiny, pairs(PAIRS[0]), options=OPTIONS)
    assert head.weight.tolist() == [0.0] * 32
    assert metrics["train_accuracy"]["reason"].startswith("1 training pairs, 2 are needed")
    assert metrics["validation_accuracy"]["value"] is None


def test_train_reward_skips_and_counts_pairs_that_are_not_comparable(tiny, pairs) -> None:
    other = pl.Series([[{"role": "user", "content": "elsewhere"}]])
    joint = pairs(("hi", "good", "bad"), pair_id="j").with_columns(rejected_prompt=other)
    liked = pairs(("hi", "good", ""), pair_id="u").with_columns(rejected=pl.lit(None, pl.String))
    frame = pl.concat([pairs(*PAIRS), joint, liked])
    head, metrics = train_reward(tiny, frame, options=OPTIONS)
    assert (metrics["n_train"], metrics["skipped_by_reason"]) == (6, {"different prompts": 1, "one reply alone": 1})
    assert np.array_equal(head.weight, train_reward(tiny, pairs(*PAIRS), options=OPTIONS)[0].weight)


def test_load_head_returns_the_saved_head_and_refuses_an_empty_folder(tiny, pairs, tmp_path) -> None:
    head, _ = train_reward(tiny, pairs(*PAIRS), options=OPTIONS)
    save_head(head, tmp_path / "reward")
    loaded = load_head(tmp_path / "reward")
    assert np.array_equal(loaded.weight, head.weight)
    assert loaded.max_length == 100
    assert sorted(path.name for path in (tmp_path / "reward").iterdir()) == ["config.json", "head.safetensors"]
    with pytest.raises(ModelError, match=r"no head.safetensors; run the stage train_reward"):
        load_head(tmp_path)
