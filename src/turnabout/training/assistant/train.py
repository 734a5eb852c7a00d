"""An assistant from preference pairs: a LoRA adapter on a frozen policy, trained with one of the preference losses."""

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from turnabout.core.config import Count, Rate, Section
from turnabout.core.io import replacing
from turnabout.losses import Loss, PairLoss, UnaryLoss
from turnabout.models.chat_format import ChatFormat
from turnabout.models.checkpoints import Checkpoint
from turnabout.training.assistant.gate import must_learn
from turnabout.training.assistant.pairwise import encode_pairs, pair_logps, pair_objective
from turnabout.training.assistant.reference import with_reference
from turnabout.training.assistant.unary import encode_judged, judged_logps, judged_objective
from turnabout.training.engine.adapter import new_adapter
from turnabout.training.engine.loop import Objective, Settings, summary, train

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import TrainerCallback

#: Columns of the curve; empty where there was nothing to train on.
CURVE = ["step", "loss", "accuracy", "margin", "chosen_reward", "rejected_reward", "learning_rate"]


class TrainAssistant(Section):
    max_length: Count
    batch_size: Count
    lora_rank: Count
    gate_pairs: Count
    """Pairs that the must-learn gate overfits before real training."""
    gate_steps: Count
    """Most optimiser steps the gate may take."""
    gate_learning_rate: Rate


class Way(NamedTuple):
    """How one kind of loss learns: pairs to rows and reasons, rows to log-probabilities, and the loss of a batch."""

    encode: Callable[[ChatFormat, pl.DataFrame, int], tuple[list[Any], Counter[str]]]
    logps: Callable[[Any, Sequence[Any]], Any]
    objective: Objective


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
    way = way_of(loss)
    rows, dropped = way.encode(policy.chat, pairs, max_length)
    told: dict[str, Any] = {"n_pairs": len(rows), "dropped_by_reason": dict(sorted(dropped.items()))}
    if not rows:
        reason = "no usable preference pair in the train split: the assistant is the policy, unchanged"
        return Assistant(new_adapter(policy, lora_rank, settings.seed), _no_history(), {**told, "reason": reason})
    # The gate asks whether labels can be learnt, so doubts about them (a toss-up has nothing to learn) wait outside.
    few = [row.certain() for row in random.Random(settings.seed).sample(rows, min(gate_pairs, len(rows)))]
    if loss.needs_reference:
        rows = with_reference(policy.model, rows, settings, way.logps)
        # In bfloat16 a row's score depends a little on its batch: scored in the gate's own, an untrained margin is 0.
        few = with_reference(policy.model, few, settings, way.logps)
    trial = new_adapter(policy, lora_rank, settings.seed)
    passed = must_learn(trial, few, way.objective, gate, work / "gate")
    trial.unload()
    model = new_adapter(policy, lora_rank, settings.seed)
    history = train(model, rows, way.objective, settings, work / "training", callbacks)
    last = history.tail(-(-history.height // 10))
    ranked = {name: last[name].mean() for name in ("accuracy", "margin")}
    return Assistant(model, history.select(CURVE), {"gate": passed._asdict(), **told, **summary(history), **ranked})


def way_of(loss: Loss) -> Way:
    """The way of losses on pairs, or that of losses on single replies."""
    match loss:
        case PairLoss():
            return Way(encode_pairs, pair_logps, pair_objective(loss))
        case UnaryLoss():
            return Way(encode_judged, judged_logps, judged_objective(loss))
        case _:
            raise TypeError(f"'{loss.loss}' is neither a PairLoss nor a UnaryLoss")


def save_adapter(model: "PeftModel", base: Path, folder: Path) -> None:
    """Write the adapter and `base.json`, which names the folder it was trained on, whole or not at all.

    The adapter's configuration holds no place of this machine, and its layers are sorted: the same training gives the
    same bytes.
    """
    config: Any = model.peft_config["default"]
    config.target_modules = sorted(config.target_modules)
    with replacing(folder) as part:
        model.save_pretrained(str(part), save_embedding_layers=False)
        (part / "README.md").unlink(missing_ok=True)
        (part / "base.json").write_text(json.dumps({"base": base.as_posix()}) + "\n", encoding="utf-8")


def _no_history() -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(CURVE, pl.Float64))
