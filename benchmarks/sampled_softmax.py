"""Speed of user model training with a sampled softmax.

    python -m benchmarks.sampled_softmax [--start gemma-3-270m] [--conversations 48] [--sample 4096] [--lora-rank 64]

It is compared with the full softmax. Both sides start from the same model and train on the same rows in the same order,
in turn. The held-out loss is computed with the full vocabulary on both sides, so it shows what the sampling costs.
"""

import argparse
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import polars as pl

from benchmarks.sft_conversations import build_train_options, encode_conversation, load_excerpts
from turnabout.models.checkpoints import Checkpoint
from turnabout.models.loading import open_model
from turnabout.training.engine.settings import RunContext, autocast
from turnabout.training.user_model.packing import count_targets
from turnabout.training.user_model.train import add_end_token, compute_user_loss, train_user

MAX_LENGTH, N_HELD_OUT, BATCH = 192, 32, 4
SIDES = ("full softmax", "sampled softmax")


class TrainingResult(NamedTuple):
    """Speed and losses of one training; losses in nats per target token."""

    tokens_per_second: float
    n_vocabulary: int
    last_loss: float
    held_out: float


def main() -> None:
    """Train on both sides in turn and print speeds and losses."""
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--start", default="gemma-3-270m", help="an embedded name, a Hub id or a folder")
    cli.add_argument("--conversations", type=int, default=48)
    cli.add_argument("--sample", type=int, default=4096, help="sampled tokens that stand for all absent ones")
    cli.add_argument("--lora-rank", type=int, default=64, help="0 trains every weight")
    cli.add_argument("--learning-rate", type=float, default=2e-4)
    cli.add_argument("--rounds", type=int, default=2)
    options = cli.parse_args()
    results: dict[str, list[TrainingResult]] = {name: [] for name in SIDES}
    for turn in range(options.rounds):
        for name in sorted(SIDES, reverse=turn % 2 == 0):
            results[name].append(train_once(options, options.sample if name == SIDES[1] else None))
    for name, rounds in results.items():
        speed = statistics.median(each.tokens_per_second for each in rounds)
        one = rounds[0]
        print(
            f"{name}: {speed:.0f} tokens/s with {one.n_vocabulary:,} vocabulary tokens; "
            f"last loss {one.last_loss:.4f}, held-out {one.held_out:.4f} nats"
        )
    whole, sampled = (results[name] for name in SIDES)
    ratios = [b.tokens_per_second / a.tokens_per_second for a, b in zip(whole, sampled, strict=True)]
    by_round = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"sampled softmax is {statistics.median(ratios):.2f} times as fast (rounds: {by_round})")


def train_once(options: argparse.Namespace, sampled_softmax: int | None) -> TrainingResult:
    """Train on the first conversations of the embedded log.

    The next conversations are held out.
    """
    start = add_end_token(open_model(options.start, "float32"))
    cut = load_excerpts(start.chat, MAX_LENGTH).head(options.conversations + N_HELD_OUT)
    train_options = build_train_options(
        max_length=MAX_LENGTH,
        batch_size=BATCH,
        learning_rate=options.learning_rate,
        packing=False,
        lora_rank=options.lora_rank or None,
        sampled_softmax=sampled_softmax,
    )
    with TemporaryDirectory() as work:
        run = RunContext(seed=1, dtype="bfloat16", start=options.start, work=Path(work) / "work")
        user = train_user(start, cut.head(options.conversations), options=train_options, run=run)
    speed = user.history["tokens"][-1] / user.history["seconds"].sum()
    return TrainingResult(
        tokens_per_second=speed,
        n_vocabulary=user.metrics["n_vocabulary"],
        last_loss=user.metrics["last_loss"],
        held_out=_compute_mean_loss(user.checkpoint, cut.tail(N_HELD_OUT)),
    )


def _compute_mean_loss(checkpoint: Checkpoint, held_out: pl.DataFrame) -> float:
    import torch

    model, chat = checkpoint.model.eval(), checkpoint.chat
    rows = [encode_conversation(chat, sample) for sample in held_out.iter_rows(named=True)]
    nats = 0.0
    for at in range(0, len(rows), BATCH):
        part = rows[at : at + BATCH]
        with torch.no_grad(), autocast(model, bf16=True):
            nats += count_targets(part) * compute_user_loss(model, part)[0].item()
    return nats / count_targets(rows)


if __name__ == "__main__":
    main()
