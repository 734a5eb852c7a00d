"""One training of `benchmarks.sft` in a process of its own.

python -m benchmarks.sft_sides (ours | trl) OUT '{"n_conversations": 4, …}'
"""

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import polars as pl

from benchmarks.sft_conversations import (
    build_k_plus_one_samples,
    build_train_options,
    build_user_template,
    encode_conversation,
    load_excerpts,
)
from turnabout.errors import ConfigError
from turnabout.models.checkpoints import Checkpoint, load_embedded
from turnabout.training.engine.settings import RunContext, autocast
from turnabout.training.user_model.train import add_end_token, compute_user_loss, train_user

BACKBONE = "smollm2-135m-instruct"
N_HELD_OUT = 8
LEARNING_RATE = 1e-4


class Case(NamedTuple):
    """Input of both sides. Each optimiser step covers all the conversations."""

    n_conversations: int
    max_length: int
    steps: int
    their_batch: int
    """Rows that TRL reads at once."""
    their_packing: bool
    """Whether one of its rows holds as many samples as fit into `max_length`."""
    bf16: bool


class TrainingRun(NamedTuple):
    """Result of one training.

    Tokens are those of one step without padding, times those of all steps.
    """

    seconds: float
    processor_seconds: float
    losses: list[float]
    """Of each step before its update: the mean over the step's targets, in nats."""
    sequences: int
    tokens: int
    targets: int
    held_out_before: float
    held_out: float
    parameters: int
    device_bytes: int
    """Most memory taken on the GPU; 0 where there is none."""


def main(side: str, out: Path, case: Case) -> None:
    """Train one side and write the result to `out`."""
    import torch

    checkpoint = add_end_token(load_embedded(BACKBONE, "float32"))
    cut = load_excerpts(checkpoint.chat, case.max_length).head(case.n_conversations + N_HELD_OUT)
    if cut.height < case.n_conversations + N_HELD_OUT:
        at_most = cut.height - N_HELD_OUT
        raise ConfigError(f"--conversations: {case.n_conversations} came; give at most {at_most}, the rest is held out")
    train, held_out = cut.head(case.n_conversations), cut.tail(N_HELD_OUT)
    before = compute_mean_loss(checkpoint, held_out, case)
    with TemporaryDirectory() as work:
        result = {"ours": train_with_turnabout, "trl": train_with_trl}[side](
            checkpoint, train, case, Path(work) / "work"
        )
    rest: dict[str, Any] = {
        "held_out_before": before,
        "held_out": compute_mean_loss(checkpoint, held_out, case),
        "parameters": sum(weights.numel() for weights in checkpoint.model.parameters()),
        "device_bytes": torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0,
    }
    out.write_text(json.dumps(TrainingRun(**result, **rest)._asdict()), encoding="utf-8")


def train_with_turnabout(checkpoint: Checkpoint, train: pl.DataFrame, case: Case, work: Path) -> dict[str, Any]:
    """Train as the stage `train_user` does; return times, losses and counts."""
    options = build_train_options(
        max_length=case.max_length, batch_size=train.height, epochs=case.steps, learning_rate=LEARNING_RATE
    )
    timer = build_timer()
    dtype = "bfloat16" if case.bf16 else "float32"
    run = RunContext(seed=1, dtype=dtype, start=BACKBONE, work=work, callbacks=[timer])
    trained = train_user(checkpoint, train, options=options, run=run)
    return {
        "seconds": timer.seconds,
        "processor_seconds": timer.processor_seconds,
        "losses": trained.history["loss"].to_list(),
        "sequences": trained.metrics["n_windows"],
        "tokens": trained.metrics["n_tokens"],
        "targets": trained.metrics["n_target_tokens"],
    }


def train_with_trl(checkpoint: Checkpoint, train: pl.DataFrame, case: Case, work: Path) -> dict[str, Any]:
    """Train by TRL on K+1 samples; return times, losses and counts.

    A step adds up the gradients of all samples.
    """
    import torch
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    checkpoint.tokenizer.chat_template = build_user_template(checkpoint.chat)
    rows: list[dict[str, Any]] = []
    for sample in train.iter_rows(named=True):
        rows += build_k_plus_one_samples(sample)
    arguments = SFTConfig(
        output_dir=str(work),
        max_length=case.max_length,
        completion_only_loss=True,
        packing=case.their_packing,
        per_device_train_batch_size=case.their_batch,
        gradient_accumulation_steps=-(-len(rows) // case.their_batch),
        train_sampling_strategy="sequential" if case.their_packing else "group_by_length",
        num_train_epochs=case.steps,
        learning_rate=LEARNING_RATE,
        lr_scheduler_type="cosine",
        weight_decay=0.0,
        max_grad_norm=1.0,
        bf16=case.bf16,
        gradient_checkpointing=False,
        use_cpu=not torch.cuda.is_available(),
        save_strategy="no",
        logging_steps=1,
        report_to="none",
    )
    timer = build_timer()
    trainer = SFTTrainer(
        checkpoint.model,
        arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=checkpoint.tokenizer,
        callbacks=[timer],
    )
    trainer.train()
    read: Any = trainer.train_dataset
    return {
        "seconds": timer.seconds,
        "processor_seconds": timer.processor_seconds,
        "losses": [entry["loss"] for entry in trainer.state.log_history if "loss" in entry],
        "sequences": len(read),
        "tokens": sum(map(len, read["input_ids"])),
        "targets": sum(len(labels) - list(labels).count(-100) for labels in read["labels"]),
    }


def compute_mean_loss(checkpoint: Checkpoint, conversations: pl.DataFrame, case: Case) -> float:
    """Return the mean −log P of all target tokens in nats.

    It is computed by our loss for both sides.
    """
    import torch

    model = checkpoint.model.eval()
    rows = [encode_conversation(checkpoint.chat, sample) for sample in conversations.iter_rows(named=True)]
    with torch.no_grad(), autocast(model, case.bf16):
        return float(compute_user_loss(model, rows)[0])


def build_timer() -> Any:
    """Return a callback that measures `seconds` and `processor_seconds`.

    Both run from the beginning of training to the end of the last step.
    """
    import torch
    from transformers import TrainerCallback

    class Clock(TrainerCallback):  # type: ignore[misc]
        """Times since the beginning of training."""

        seconds = processor_seconds = 0.0

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            """Note the time."""
            self.began = time.perf_counter(), time.process_time()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            """Measure the time since the beginning, once the device has finished."""
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.seconds = time.perf_counter() - self.began[0]
            self.processor_seconds = time.process_time() - self.began[1]

    return Clock()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Case(**json.loads(sys.argv[3])))
