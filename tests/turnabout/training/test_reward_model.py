"""The reward head: what it learns, what it measures, and that it comes back from disk as it was."""

import numpy as np
import polars as pl
import pytest
import torch

from turnabout.errors import ModelError
from turnabout.training.reward_model import accuracy, either_order, fit, load_head, save_head, score, train_reward

PAIRS = [(word, f"{word} yes", f"{word} never") for word in ("one", "two", "three", "four", "five", "six")]


def test_head_prefers_what_the_pairs_prefer_also_on_held_out_prompts(tiny, pairs) -> None:
    frame = pl.concat([pairs(*PAIRS), pairs(("seven", "seven yes", "seven never"), split="validation")])
    head, measured = train_reward(tiny, frame, 100, 4, 1.0)
    assert (measured["n_train"], measured["n_validation"]) == (6, 1)
    assert measured["train_accuracy"]["value"] == 1.0
    assert measured["validation_accuracy"]["value"] == 1.0
    prompt = [{"role": "user", "content": "eight"}]
    better, worse = score(tiny, {"arm": head}, [prompt, prompt], ["eight yes", "eight never"], 4)["arm"]
    assert better > worse


def test_a_score_is_the_head_on_the_last_hidden_state_of_the_end_of_turn(tiny, pairs) -> None:
    head, _ = train_reward(tiny, pairs(*PAIRS), 100, 4, 1.0)
    prompt = [{"role": "user", "content": "hi"}]
    ids = tiny.chat.prompt_ids(prompt, "assistant") + tiny.chat.completion_ids("you")
    with torch.no_grad():
        hidden = tiny.model(torch.tensor([ids]), output_hidden_states=True).hidden_states[-1][0, -1].numpy()
    found = score(tiny, {"arm": head}, [prompt, [{"role": "user", "content": "a longer one"}]], ["you", "me"], 2)["arm"]
    assert found[0] == pytest.approx(float(hidden @ head.weight), rel=1e-4)


def test_head_is_the_maximum_of_the_weighted_bradley_terry_likelihood() -> None:
    rng = np.random.default_rng(0)
    differences = rng.normal(size=(40, 3)).astype(np.float32) + np.float32(0.3)
    weight = rng.uniform(0.5, 1.5, 40)
    scale = np.sqrt((differences**2).mean(axis=0)) + 1e-6
    theta = fit(differences, weight, l2=2.0) * scale
    # Gradient of Σ wᵢ·log σ(θ·dᵢ) − l2·‖θ‖²/2 vanishes at the maximum.
    standard = differences / scale
    gradient = ((weight / (1 + np.exp(standard @ theta)))[:, None] * standard).sum(axis=0) - 2.0 * theta
    assert np.abs(gradient).max() < 1e-2


def test_an_uncertain_label_counts_in_both_orders_by_how_likely_each_is() -> None:
    rng = np.random.default_rng(1)
    differences = rng.normal(size=(30, 2)).astype(np.float32) + np.float32(0.4)
    weight, p_win = rng.uniform(0.5, 1.5, 30), np.where(np.arange(30) % 3 == 0, 0.7, 1.0)
    theta = fit(*either_order(differences, weight, p_win), l2=1.0)
    scale = np.sqrt((np.concatenate([differences, differences[p_win < 1]]) ** 2).mean(axis=0)) + 1e-6
    standard, scaled = differences / scale, theta * scale
    # Gradient of Σ wᵢ·[pᵢ·log σ(θ·dᵢ) + (1 − pᵢ)·log σ(−θ·dᵢ)] − l2·‖θ‖²/2 vanishes: Σ wᵢ·(pᵢ − σ(θ·dᵢ))·dᵢ = l2·θ.
    gradient = ((weight * (p_win - 1 / (1 + np.exp(-standard @ scaled))))[:, None] * standard).sum(axis=0) - scaled
    assert np.abs(gradient).max() < 1e-2
    assert either_order(differences, weight, np.ones(30))[0].shape == differences.shape


def test_accuracy_carries_its_wilson_interval() -> None:
    # 3 of 4 right, z = 1.959964: centre (3 + z²/2)/(4 + z²) = 0.627526,
    # half-width z·√(3·1/4 + z²/4)/(4 + z²) = 0.326885
    found = accuracy(np.array([1.0, 2.0, 0.5, -1.0]))
    assert found["value"] == 0.75
    assert found["low"] == pytest.approx(0.627526 - 0.326885, abs=1e-4)
    assert found["high"] == pytest.approx(0.627526 + 0.326885, abs=1e-4)


def test_an_equal_reward_is_not_a_right_one_and_no_pair_is_no_accuracy() -> None:
    assert accuracy(np.array([0.0, 1.0]))["value"] == 0.5
    assert accuracy(np.array([])) == {"value": None, "low": None, "high": None, "reason": "no pair in this split"}


def test_too_few_pairs_give_a_zero_head_and_the_reason(tiny, pairs) -> None:
    head, measured = train_reward(tiny, pairs(PAIRS[0]), 100, 4, 1.0)
    assert head.weight.tolist() == [0.0] * 32
    assert measured["train_accuracy"]["reason"].startswith("1 training pairs, 2 are needed")
    assert measured["validation_accuracy"]["value"] is None


def test_what_does_not_compare_two_replies_to_one_prompt_is_skipped_and_counted(tiny, pairs) -> None:
    other = pl.Series([[{"role": "user", "content": "elsewhere"}]])
    joint = pairs(("hi", "good", "bad"), pair_id="j").with_columns(rejected_prompt=other)
    liked = pairs(("hi", "good", ""), pair_id="u").with_columns(rejected=pl.lit(None, pl.String))
    frame = pl.concat([pairs(*PAIRS), joint, liked])
    head, measured = train_reward(tiny, frame, 100, 4, 1.0)
    assert (measured["n_train"], measured["skipped_by_reason"]) == (6, {"different prompts": 1, "one reply alone": 1})
    assert np.array_equal(head.weight, train_reward(tiny, pairs(*PAIRS), 100, 4, 1.0)[0].weight)


def test_saved_head_comes_back_and_an_empty_folder_is_told(tiny, pairs, tmp_path) -> None:
    head, _ = train_reward(tiny, pairs(*PAIRS), 100, 4, 1.0)
    save_head(head, tmp_path / "reward")
    again = load_head(tmp_path / "reward")
    assert np.array_equal(again.weight, head.weight)
    assert again.max_length == 100
    assert sorted(path.name for path in (tmp_path / "reward").iterdir()) == ["config.json", "head.safetensors"]
    with pytest.raises(ModelError, match=r"no head.safetensors; run the stage train_reward"):
        load_head(tmp_path)
