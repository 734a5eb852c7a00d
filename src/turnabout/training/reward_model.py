"""A Bradley–Terry reward head on the frozen backbone: which of two answers the feedback would prefer.

A linear head trained with the Bradley–Terry loss is a logistic regression without intercept on the difference of two
answers' features, so scikit-learn fits it exactly.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
from pydantic import Field

from turnabout.core.comparable_pairs import comparable_pairs
from turnabout.core.config import Count, Section
from turnabout.core.io import read_json, replacing
from turnabout.core.messages import Message
from turnabout.errors import ModelError
from turnabout.models.chat_format import Encoded
from turnabout.models.checkpoints import Checkpoint
from turnabout.models.logps import answers, pad

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Fewest training pairs a head is fitted to.
MIN_PAIRS = 2


class TrainReward(Section):
    max_length: Count
    batch_size: Count
    l2: float = Field(gt=0)
    """Strength of the L2 penalty on the reward head."""


class Head(NamedTuple):
    """Weights of shape (hidden,) on the last hidden state; `max_length` is the longest sequence it reads, in tokens."""

    weight: "NDArray[np.float32]"
    max_length: int


def train_reward(
    checkpoint: Checkpoint, pairs: pl.DataFrame, max_length: int, batch_size: int, l2: float
) -> tuple[Head, dict[str, Any]]:
    """The head fitted to the kept training pairs (`schemas.PAIRS`), with its accuracy there and on validation pairs.

    With fewer than `MIN_PAIRS` the head is zero, prefers nothing, and the metrics say why. Pairs that do not compare
    two replies to one prompt are skipped and counted.
    """
    kept, skipped = comparable_pairs(pairs.filter("keep").sort("pair_id"))
    train, validation = kept.filter(split="train"), kept.filter(split="validation")
    counts = {"n_train": train.height, "n_validation": validation.height, "skipped_by_reason": skipped}
    if train.height < MIN_PAIRS:
        weight = np.zeros(checkpoint.model.config.get_text_config().hidden_size, np.float32)
        reason = f"{train.height} training pairs, {MIN_PAIRS} are needed: the head is zero and prefers nothing"
        nothing = {"value": None, "low": None, "high": None, "reason": reason}
        return Head(weight, max_length), {**counts, "train_accuracy": nothing, "validation_accuracy": nothing}
    differences = _differences(checkpoint, train, max_length, batch_size)
    p_win = train["p_win"].fill_null(1.0).to_numpy()
    head = Head(fit(*either_order(differences, train["weight"].to_numpy(), p_win), l2), max_length)
    held_out = _differences(checkpoint, validation, max_length, batch_size)
    return head, {
        **counts,
        "train_accuracy": accuracy(differences @ head.weight),
        "validation_accuracy": accuracy(held_out @ head.weight),
    }


def score(
    checkpoint: Checkpoint,
    heads: Mapping[str, Head],
    prompts: Sequence[Sequence[Message]],
    completions: Sequence[str],
    batch_size: int,
) -> dict[str, list[float]]:
    """Each head's reward of each completion after its prompt, from one reading of the longest length any head knows.

    Only differences between answers to one prompt mean anything.
    """
    longest = max((head.max_length for head in heads.values()), default=0)
    rows = [
        answers(checkpoint.chat, prompt, [completion], longest)[0]
        for prompt, completion in zip(prompts, completions, strict=True)
        if heads
    ]
    features = _features(checkpoint, rows, batch_size)
    return {name: (features @ head.weight).tolist() for name, head in heads.items()}


def save_head(head: Head, folder: Path) -> None:
    """Write the head as safetensors and its settings as JSON, whole or not at all."""
    from safetensors.numpy import save_file

    with replacing(folder) as part:
        part.mkdir()
        save_file({"weight": head.weight}, part / "head.safetensors")
        (part / "config.json").write_text(json.dumps({"max_length": head.max_length}) + "\n", encoding="utf-8")


def load_head(folder: Path) -> Head:
    """The head that `save_head` wrote. Raises `ModelError` where the folder holds none."""
    from safetensors.numpy import load_file

    if not (folder / "head.safetensors").exists():
        raise ModelError(f"{folder}: no head.safetensors; run the stage train_reward that writes it")
    return Head(load_file(folder / "head.safetensors")["weight"], read_json(folder / "config.json")["max_length"])


def accuracy(margins: "NDArray[np.floating]") -> dict[str, Any]:
    """Share of pairs with a positive margin and its 95 % Wilson interval; null with a reason where there is no pair."""
    from scipy.stats import binomtest

    if len(margins) == 0:
        return {"value": None, "low": None, "high": None, "reason": "no pair in this split"}
    test = binomtest(int((margins > 0).sum()), len(margins))
    interval = test.proportion_ci(0.95, method="wilson")
    return {"value": test.statistic, "low": float(interval.low), "high": float(interval.high)}


def either_order(
    differences: "NDArray[np.float32]", weight: "NDArray[np.float64]", p_win: "NDArray[np.float64]"
) -> "tuple[NDArray[np.float32], NDArray[np.float64]]":
    """Differences and weights of pairs, those of uncertain labels in both orders, each by how likely it is."""
    turned = p_win < 1
    weights = np.concatenate([weight * p_win, (weight * (1 - p_win))[turned]])
    return np.concatenate([differences, -differences[turned]]), weights


def fit(differences: "NDArray[np.float32]", weight: "NDArray[np.float64]", l2: float) -> "NDArray[np.float32]":
    """Weights that maximise Σ wᵢ·log σ(θ·dᵢ) − l2·‖θ‖²/2 on standardised differences, scaled back to raw features.

    Every difference is given with both signs: the regression needs both classes, and none may be favoured.
    """
    from sklearn.linear_model import LogisticRegression

    scale = np.sqrt((differences**2).mean(axis=0)) + 1e-6
    both = np.concatenate([differences, -differences]) / scale
    label = np.repeat([1, 0], len(differences))
    # Each pair counts twice, hence half its weight.
    fitted = LogisticRegression(C=1 / l2, fit_intercept=False, max_iter=1000).fit(both, label, np.tile(weight / 2, 2))
    return np.asarray(fitted.coef_[0] / scale, np.float32)


def _differences(
    checkpoint: Checkpoint, pairs: pl.DataFrame, max_length: int, batch_size: int
) -> "NDArray[np.float32]":
    """Features of chosen minus those of rejected, shape (pairs, hidden); both follow the same prompt."""
    encoded = [
        answers(checkpoint.chat, pair["prompt"], [pair["chosen"], pair["rejected"]], max_length)
        for pair in pairs.iter_rows(named=True)
    ]
    chosen = _features(checkpoint, [row for row, _ in encoded], batch_size)
    return chosen - _features(checkpoint, [row for _, row in encoded], batch_size)


def _features(checkpoint: Checkpoint, rows: Sequence[Encoded], batch_size: int) -> "NDArray[np.float32]":
    """The last layer's hidden state at the last token of each row (its end of turn), shape (rows, hidden)."""
    import torch
    from tqdm import tqdm

    model = checkpoint.model
    found = [np.zeros((0, model.config.get_text_config().hidden_size), np.float32)]
    for begin in tqdm(range(0, len(rows), batch_size), disable=None, unit="batch", desc="features"):
        batch = pad(rows[begin : begin + batch_size], model.device)
        last = batch.attention_mask.sum(dim=1) - 1
        with torch.inference_mode():
            out = model.base_model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False)
        hidden = out.last_hidden_state[torch.arange(len(last), device=last.device), last]
        found.append(hidden.float().cpu().numpy())
    return np.concatenate(found)
