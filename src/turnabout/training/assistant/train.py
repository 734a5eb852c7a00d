"""Training of an assistant with one of the preference losses.

What is trained is a LoRA adapter on a frozen policy.
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from turnabout.core.config import Count, Rate, Section
from turnabout.core.io import replace_when_done
from turnabout.losses import AnyLoss, Loss, PairLoss, UnaryLoss
from turnabout.models.chat_format import ChatFormat
from turnabout.models.checkpoints import Checkpoint
from turnabout.training.assistant.gate import run_gate
from turnabout.training.assistant.pairwise import build_pair_objective, compute_pair_logps, encode_pairs
from turnabout.training.assistant.rows import add_reference_logps
from turnabout.training.assistant.unary import build_unary_objective, compute_unary_logps, encode_unary
from turnabout.training.engine.adapter import create_adapter
from turnabout.training.engine.loop import summarize_history, train_model
from turnabout.training.engine.settings import Objective, RunContext, TrainingSettings

if TYPE_CHECKING:
    from peft import PeftModel

#: Columns of the training curve; it has no rows if there was nothing to train on.
CURVE = ["step", "loss", "accuracy", "margin", "chosen_reward", "rejected_reward", "learning_rate"]


class TrainAssistant(Section):
    """Section `train_assistant`: settings that the arms share."""

    max_length: Count
    """Longest training sequence, in tokens; the prompt is cut from the left at a message boundary."""
    batch_size: Count
    lora_rank: Count
    gate_pairs: Count
    """Pairs that the must-learn gate overfits before real training."""
    gate_steps: Count
    """Maximum number of optimiser steps of the gate."""
    gate_learning_rate: Rate


class ArmTraining(Section):
    """The `train` part of an arm."""

    loss: AnyLoss
    learning_rate: Rate
    epochs: Count


class LossFamily(NamedTuple):
    """How rows of one kind are encoded and scored, and the objective of a batch.

    `encode` gives the rows and the number of dropped ones by reason; `compute_logps` the log-probabilities of rows.
    """

    encode: Callable[[ChatFormat, pl.DataFrame, int], tuple[list[Any], Counter[str]]]
    compute_logps: Callable[[Any, Sequence[Any]], Any]
    objective: Objective


class TrainedAssistant(NamedTuple):
    """A trained adapter (unmerged), its curve and the training's figures.

    The curve `history` has one row per step.
    """

    model: "PeftModel"
    history: pl.DataFrame
    metrics: dict[str, Any]


def train_assistant(
    policy: Checkpoint,
    pairs: pl.DataFrame,
    *,
    options: TrainAssistant,
    training: ArmTraining,
    run: RunContext,
) -> TrainedAssistant:
    """Train an adapter on the kept pairs of the train split.

    The must-learn gate comes first. `pairs` are `schemas.PAIRS`. Without a usable pair the adapter stays untrained and
    answers exactly like the policy, and the metrics say why: a log without feedback still runs through the whole
    pipeline. Raises `ModelError` if the gate is not passed.
    """
    settings = _build_settings(options, training, run)
    family = loss_family(training.loss)
    rows, dropped = family.encode(policy.chat, pairs, options.max_length)
    counts: dict[str, Any] = {"n_pairs": len(rows), "dropped_by_reason": dict(sorted(dropped.items()))}
    if not rows:
        reason = "no usable preference pair in the train split: the assistant is the policy, unchanged"
        untrained = create_adapter(policy, options.lora_rank, run.seed)
        return TrainedAssistant(untrained, _build_empty_history(), {**counts, "reason": reason})
    # The gate tests whether labels can be learnt, so it takes them as certain: a 50:50 label has nothing to learn.
    sample = random.Random(run.seed).sample(rows, min(options.gate_pairs, len(rows)))
    gate_rows = [row.with_certain_label() for row in sample]
    if training.loss.needs_reference:
        rows = add_reference_logps(policy.model, rows, settings, family.compute_logps)
        # In bfloat16 a row's score depends slightly on its batch. Scored in the gate's own batches, the margin of an
        # untrained adapter is exactly 0.
        gate_rows = add_reference_logps(policy.model, gate_rows, settings, family.compute_logps)
    trial = create_adapter(policy, options.lora_rank, run.seed)
    gate_settings = _build_gate_settings(options, settings)
    gate = run_gate(trial, gate_rows, family.objective, settings=gate_settings, work=run.work / "gate")
    trial.unload()
    model = create_adapter(policy, options.lora_rank, run.seed)
    work = run.work / "training"
    history = train_model(model, rows, family.objective, settings=settings, work=work, callbacks=run.callbacks)
    last_tenth = history.tail(-(-history.height // 10))
    metrics = {
        "gate": gate._asdict(),
        **counts,
        **summarize_history(history),
        **{name: last_tenth[name].mean() for name in ("accuracy", "margin")},
    }
    return TrainedAssistant(model, history.select(CURVE), metrics)


def loss_family(loss: Loss) -> LossFamily:
    """Return how losses on pairs, or on single replies, encode and score rows."""
    match loss:
        case PairLoss():
            return LossFamily(encode_pairs, compute_pair_logps, build_pair_objective(loss))
        case UnaryLoss():
            return LossFamily(encode_unary, compute_unary_logps, build_unary_objective(loss))
        case _:
            raise TypeError(f"'{loss.loss}' is neither a PairLoss nor a UnaryLoss")


def save_adapter(model: "PeftModel", base: Path, folder: Path) -> None:
    """Write the adapter and `base.json`, completely or not at all.

    `base.json` names the folder of the model it was trained on. The adapter's own configuration holds no path of this
    machine, and its layers are sorted, so that the same training gives the same bytes.
    """
    config: Any = model.peft_config["default"]
    config.target_modules = sorted(config.target_modules)
    with replace_when_done(folder) as part:
        model.save_pretrained(str(part), save_embedding_layers=False)
        (part / "README.md").unlink(missing_ok=True)
        (part / "base.json").write_text(json.dumps({"base": base.as_posix()}) + "\n", encoding="utf-8")


def _build_settings(options: TrainAssistant, training: ArmTraining, run: RunContext) -> TrainingSettings:
    """Return the settings of the real training."""
    return TrainingSettings(
        learning_rate=training.learning_rate,
        epochs=training.epochs,
        batch_size=options.batch_size,
        seed=run.seed,
        bf16=run.bf16,
        start=f"{run.start} rank {options.lora_rank} {training.loss.model_dump_json()}",
    )


def _build_gate_settings(options: TrainAssistant, settings: TrainingSettings) -> TrainingSettings:
    """Return the settings of the gate, with its own constant rate."""
    return settings._replace(
        learning_rate=options.gate_learning_rate,
        schedule="constant",
        epochs=options.gate_steps,
        max_steps=options.gate_steps,
    )


def _build_empty_history() -> pl.DataFrame:
    """Return a curve without rows."""
    return pl.DataFrame(schema=dict.fromkeys(CURVE, pl.Float64))
