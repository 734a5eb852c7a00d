"""Bradley–Terry reward head on the frozen backbone.

It predicts which of two answers the feedback would prefer. A linear head trained with the Bradley–Terry loss is a
logistic regression without intercept on the difference of two answers' features, so scikit-learn fits it exactly.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
from pydantic import Field

from turnabout.core.comparable_pairs import split_comparable_pairs
from turnabout.core.config import Count, Section
from turnabout.core.io import read_json, replace_when_done
from turnabout.core.messages import Message
from turnabout.errors import ModelError
from turnabout.models.chat_format import EncodedChat
from turnabout.models.checkpoints import Checkpoint
from turnabout.models.logps import encode_answers, pad_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Minimum number of training pairs a head is fitted to.
MIN_PAIRS = 2


class TrainReward(Section):
    """Section `train_reward` of `params.yaml`."""

    max_length: Count
    """Longest sequence that is read, in tokens; the prompt is cut from the left at a message boundary."""
    batch_size: Count
    l2: float = Field(gt=0)
    """Strength of the L2 penalty on the reward head."""


class RewardHead(NamedTuple):
    """Weights, (hidden,), on the last hidden state.

    `max_length` is the longest sequence that the head reads, in tokens.
    """

    weight: "NDArray[np.float32]"
    max_length: int


def train_reward(
    checkpoint: Checkpoint, pairs: pl.DataFrame, *, options: TrainReward
) -> tuple[RewardHead, dict[str, Any]]:
    """Fit a head to the kept training pairs, and return it with metrics.

    `pairs` are `schemas.PAIRS`. The metrics are its accuracies on training and validation pairs. With fewer than
    `MIN_PAIRS` pairs the head is zero and prefers nothing, and the metrics say why. Pairs that do not compare two
    replies to one prompt are skipped and counted.
    """
    kept, skipped = split_comparable_pairs(pairs.filter("keep").sort("pair_id"))
    train, validation = kept.filter(split="train"), kept.filter(split="validation")
    counts = {"n_train": train.height, "n_validation": validation.height, "skipped_by_reason": skipped}
    if train.height < MIN_PAIRS:
        weight = np.zeros(checkpoint.model.config.get_text_config().hidden_size, np.float32)
        reason = f"{train.height} training pairs, {MIN_PAIRS} are needed: the head is zero and prefers nothing"
        missing = {"value": None, "low": None, "high": None, "reason": reason}
        metrics = {**counts, "train_accuracy": missing, "validation_accuracy": missing}
        return RewardHead(weight, options.max_length), metrics
    train_differences = _compute_differences(checkpoint, train, options)
    p_win = train["p_win"].fill_null(1.0).to_numpy()
    differences, weights = add_reversed_pairs(train_differences, train["weight"].to_numpy(), p_win)
    head = RewardHead(fit_head(differences, weights, options.l2), options.max_length)
    validation_differences = _compute_differences(checkpoint, validation, options)
    return head, {
        **counts,
        "train_accuracy": measure_accuracy(train_differences @ head.weight),
        "validation_accuracy": measure_accuracy(validation_differences @ head.weight),
    }


def score_completions(
    checkpoint: Checkpoint,
    heads: Mapping[str, RewardHead],
    prompts: Sequence[Sequence[Message]],
    completions: Sequence[str],
    *,
    batch_size: int,
) -> dict[str, list[float]]:
    """Return each head's reward of each completion after its prompt.

    All heads share one forward pass, at the longest `max_length` of any head. Only differences between answers to one
    prompt are meaningful.
    """
    max_length = max((head.max_length for head in heads.values()), default=0)
    rows: list[EncodedChat] = []
    if heads:
        for prompt, completion in zip(prompts, completions, strict=True):
            rows += encode_answers(checkpoint.chat, prompt, [completion], max_length)
    features = _compute_features(checkpoint, rows, batch_size)
    return {name: (features @ head.weight).tolist() for name, head in heads.items()}


def save_head(head: RewardHead, folder: Path) -> None:
    """Write the head as safetensors and its settings as JSON.

    Both files are written, or none.
    """
    from safetensors.numpy import save_file

    with replace_when_done(folder) as part:
        part.mkdir()
        save_file({"weight": head.weight}, part / "head.safetensors")
        (part / "config.json").write_text(json.dumps({"max_length": head.max_length}) + "\n", encoding="utf-8")


def load_head(folder: Path) -> RewardHead:
    """Return the head that `save_head` wrote.

    Raises `ModelError` if the folder holds none.
    """
    from safetensors.numpy import load_file

    if not (folder / "head.safetensors").exists():
        raise ModelError(f"{folder}: no head.safetensors; run the stage train_reward that writes it")
    weight = load_file(folder / "head.safetensors")["weight"]
    return RewardHead(weight, read_json(folder / "config.json")["max_length"])


def measure_accuracy(margins: "NDArray[np.floating]") -> dict[str, Any]:
    """Return the share of positive margins and its 95 % Wilson interval.

    Without a pair the figures are null and a reason is given.
    """
    from scipy.stats import binomtest

    if len(margins) == 0:
        return {"value": None, "low": None, "high": None, "reason": "no pair in this split"}
    test = binomtest(int((margins > 0).sum()), len(margins))
    interval = test.proportion_ci(0.95, method="wilson")
    return {"value": test.statistic, "low": float(interval.low), "high": float(interval.high)}


def add_reversed_pairs(
    differences: "NDArray[np.float32]", weight: "NDArray[np.float64]", p_win: "NDArray[np.float64]"
) -> "tuple[NDArray[np.float32], NDArray[np.float64]]":
    """Return differences and weights, uncertain pairs in both orders.

    Each order is weighted by its probability.
    """
    is_uncertain = p_win < 1
    reversed_weight = (weight * (1 - p_win))[is_uncertain]
    weights = np.concatenate([weight * p_win, reversed_weight])
    return np.concatenate([differences, -differences[is_uncertain]]), weights


def fit_head(differences: "NDArray[np.float32]", weight: "NDArray[np.float64]", l2: float) -> "NDArray[np.float32]":
    """Return weights that maximise Σ wᵢ·log σ(θ·dᵢ) − l2·‖θ‖²/2.

    The differences are standardised for the fit, and the weights scaled back to raw features. Every difference enters
    with both signs: the regression needs both classes, and neither may be favoured.
    """
    from sklearn.linear_model import LogisticRegression

    scale = np.sqrt((differences**2).mean(axis=0)) + 1e-6
    both_signs = np.concatenate([differences, -differences]) / scale
    label = np.repeat([1, 0], len(differences))
    regression = LogisticRegression(C=1 / l2, fit_intercept=False, max_iter=1000)
    # Each pair counts twice, hence half its weight.
    regression.fit(both_signs, label, np.tile(weight / 2, 2))
    return np.asarray(regression.coef_[0] / scale, np.float32)


def _compute_differences(checkpoint: Checkpoint, pairs: pl.DataFrame, options: TrainReward) -> "NDArray[np.float32]":
    """Return features of chosen minus those of rejected, shape (pairs, hidden).

    Both completions follow the same prompt.
    """
    chosen_rows: list[EncodedChat] = []
    rejected_rows: list[EncodedChat] = []
    for pair in pairs.iter_rows(named=True):
        completions = [pair["chosen"], pair["rejected"]]
        chosen, rejected = encode_answers(checkpoint.chat, pair["prompt"], completions, options.max_length)
        chosen_rows.append(chosen)
        rejected_rows.append(rejected)
    chosen_features = _compute_features(checkpoint, chosen_rows, options.batch_size)
    return chosen_features - _compute_features(checkpoint, rejected_rows, options.batch_size)


def _compute_features(checkpoint: Checkpoint, rows: Sequence[EncodedChat], batch_size: int) -> "NDArray[np.float32]":
    """Return the last hidden state of each row, shape (rows, hidden).

    It is the last layer's state at the last token. The last token is the completion's end of turn.
    """
    import torch
    from tqdm import tqdm

    model = checkpoint.model
    features = [np.zeros((0, model.config.get_text_config().hidden_size), np.float32)]
    for begin in tqdm(range(0, len(rows), batch_size), disable=None, unit="batch", desc="features"):
        batch = pad_rows(rows[begin : begin + batch_size], model.device)
        last = batch.attention_mask.sum(dim=1) - 1
        with torch.inference_mode():
            out = model.base_model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False)
        hidden = out.last_hidden_state[torch.arange(len(last), device=last.device), last]
        features.append(hidden.float().cpu().numpy())
    return np.concatenate(features)
