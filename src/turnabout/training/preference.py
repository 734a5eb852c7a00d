"""An assistant from preference pairs: a LoRA adapter on a frozen policy, trained with one of the preference losses."""

import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from turnabout.backbones import Checkpoint
from turnabout.chat_format import ChatFormat, Encoded
from turnabout.io import replacing
from turnabout.logps import answers, pad, token_logps
from turnabout.losses import Loss, PairLogps
from turnabout.training.gate import must_learn
from turnabout.training.loop import Objective, Settings, autocast, summary, train

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor
    from transformers import PreTrainedModel, TrainerCallback

#: Columns of the curve; empty where there was nothing to train on.
CURVE = ["step", "loss", "accuracy", "margin", "chosen_reward", "rejected_reward", "learning_rate"]


class PairRow(NamedTuple):
    """One pair as tokens, with the weight of its loss and the frozen policy's log-probabilities of both completions."""

    chosen: Encoded
    rejected: Encoded
    weight: float
    reference_chosen: float = 0.0
    reference_rejected: float = 0.0


class Assistant(NamedTuple):
    """A trained adapter (unmerged), one row per step, and the figures of its training."""

    model: "PeftModel"
    history: pl.DataFrame
    metrics: dict[str, Any]


def train_assistant(
    policy: Checkpoint,
    pairs: pl.DataFrame,
    loss: Loss,
    max_length: int,
    lora_rank: int,
    settings: Settings,
    gate: Settings,
    gate_pairs: int,
    work: Path,
    callbacks: "Sequence[TrainerCallback]" = (),
) -> Assistant:
    """Train an adapter on the kept pairs of the train split (`schemas.PAIRS`), after it has passed the gate.

    Without a usable pair the adapter is the untrained one, which answers exactly like the policy, and the metrics say
    why: a log without feedback still gives a whole pipeline. Raises `ModelError` where the gate is not passed.
    """
    rows, dropped = encode_pairs(policy.chat, pairs, max_length)
    told: dict[str, Any] = {"n_pairs": len(rows), "dropped_by_reason": dict(sorted(dropped.items()))}
    if not rows:
        reason = "no usable preference pair in the train split: the assistant is the policy, unchanged"
        return Assistant(new_adapter(policy, lora_rank, settings.seed), _no_history(), {**told, "reason": reason})
    few = random.Random(settings.seed).sample(rows, min(gate_pairs, len(rows)))
    if loss.needs_reference:
        rows = with_reference(policy.model, rows, settings)
        # In bfloat16 a row's score depends a little on its batch: scored in the gate's own, an untrained margin is 0.
        few = with_reference(policy.model, few, settings)
    objective = pair_objective(loss)
    trial = new_adapter(policy, lora_rank, settings.seed)
    passed = must_learn(trial, few, objective, gate, work / "gate")
    trial.unload()
    model = new_adapter(policy, lora_rank, settings.seed)
    history = train(model, rows, objective, settings, work / "training", callbacks)
    last = history.tail(-(-history.height // 10))
    ranked = {name: last[name].mean() for name in ("accuracy", "margin")}
    return Assistant(model, history.select(CURVE), {"gate": passed._asdict(), **told, **summary(history), **ranked})


def encode_pairs(chat: ChatFormat, pairs: pl.DataFrame, max_length: int) -> tuple[list[PairRow], Counter[str]]:
    """The kept training pairs as rows, by `pair_id`, and how many were left out for each reason.

    Both completions of a row follow the same prompt, cut from the left at a message boundary.
    """
    rows: list[PairRow] = []
    dropped: Counter[str] = Counter()
    for pair in pairs.filter(pl.col("keep"), split="train").sort("pair_id").iter_rows(named=True):
        chosen, rejected = answers(chat, pair["prompt"], [pair["chosen"], pair["rejected"]], max_length)
        if not pair["chosen"].strip() or not pair["rejected"].strip():
            dropped["empty completion"] += 1
        elif chosen == rejected:
            dropped["chosen equals rejected"] += 1
        elif max(len(chosen.input_ids), len(rejected.input_ids)) > max_length:
            dropped["longer than max_length"] += 1
        else:
            rows.append(PairRow(chosen, rejected, pair["weight"]))
    return rows, dropped


def pair_logps(model: "PreTrainedModel", rows: Sequence[PairRow]) -> PairLogps:
    """Log-probabilities of both completions of B pairs, in one forward pass over 2B sequences."""
    batch = pad([row.chosen for row in rows] + [row.rejected for row in rows], model.device)
    chosen, rejected = token_logps(model, batch).sum(dim=1).chunk(2)
    chosen_tokens, rejected_tokens = batch.is_target.sum(dim=1).chunk(2)
    return PairLogps(chosen, rejected, chosen_tokens, rejected_tokens)


def with_reference(model: "PreTrainedModel", rows: Sequence[PairRow], settings: Settings) -> list[PairRow]:
    """The rows with the log-probabilities that the model as it stands gives them."""
    import torch
    from tqdm import tqdm

    scored: list[PairRow] = []
    for begin in tqdm(range(0, len(rows), settings.batch_size), disable=None, unit="batch", desc="reference"):
        batch = rows[begin : begin + settings.batch_size]
        with torch.no_grad(), autocast(model, settings.bf16):
            logps = pair_logps(model, batch)
        for row, chosen, rejected in zip(batch, logps.chosen.tolist(), logps.rejected.tolist(), strict=True):
            scored.append(row._replace(reference_chosen=chosen, reference_rejected=rejected))
    return scored


def pair_objective(loss: Loss) -> Objective:
    """The weighted mean loss of a batch of pairs, and what its implicit rewards say (accuracy, margin, each reward)."""

    def objective(model: "PreTrainedModel", rows: Sequence[PairRow]) -> "tuple[Tensor, dict[str, float]]":
        policy = pair_logps(model, rows)
        like = policy.chosen.new_tensor
        reference = policy._replace(
            chosen=like([row.reference_chosen for row in rows]), rejected=like([row.reference_rejected for row in rows])
        )
        value = (like([row.weight for row in rows]) * loss(policy, reference)).mean()
        chosen, rejected = (reward.detach() for reward in loss.rewards(policy, reference))
        return value, {
            "tokens": float(sum(len(row.chosen.input_ids) + len(row.rejected.input_ids) for row in rows)),
            "accuracy": (chosen > rejected).float().mean().item(),
            "margin": (chosen - rejected).mean().item(),
            "chosen_reward": chosen.mean().item(),
            "rejected_reward": rejected.mean().item(),
        }

    return objective


def new_adapter(policy: Checkpoint, rank: int, seed: int) -> "PeftModel":
    """A LoRA adapter (Hu et al. 2021, arXiv 2106.09685) on every linear layer, α = 2·rank, that changes nothing yet."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    config = LoraConfig(
        r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    return get_peft_model(policy.model, config)


def save_adapter(model: "PeftModel", base: Path, folder: Path) -> None:
    """Write the adapter and `base.json`, which names the folder it was trained on, whole or not at all.

    The adapter's configuration holds no place of this machine, and its layers are sorted: the same training gives the
    same bytes.
    """
    config: Any = model.peft_config["default"]
    config.base_model_name_or_path = ""  # None is filled in with the place it was loaded from
    config.target_modules = sorted(config.target_modules)
    with replacing(folder) as part:
        model.save_pretrained(str(part), save_embedding_layers=False)
        (part / "README.md").unlink(missing_ok=True)
        (part / "base.json").write_text(json.dumps({"base": base.as_posix()}) + "\n", encoding="utf-8")


def _no_history() -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(CURVE, pl.Float64))
