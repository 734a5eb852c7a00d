"""Speed of user model training, against TRL on the paper's K+1 samples.

    python -m benchmarks.sft [--conversations 4] [--tokens 256] [--steps 3] [--rounds 2]

Ours trains on one sequence per conversation. Both sides train every weight of the embedded model on the last messages
of conversations of the embedded log, each with its end of conversation. A step covers all conversations, so both sides
follow the same trajectory: the loss of every step must be the same, and so must that of held-out conversations
afterwards, measured by one function. Weights are in float32, computation is in bfloat16 (`--float32`: in float32);
learning rate, schedule, optimiser and clipping are equal. Each training is a process of its own, and the sides take
turns. Seconds are those of the optimiser steps alone, without loading, tokenising and saving.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import process_tree
from benchmarks.sft_sides import Case, TrainingRun

#: Largest difference between the losses of a step in nats, from rounding to bfloat16.
TOLERANCE = 0.01

Measured = tuple[TrainingRun, process_tree.Usage]


def main() -> None:
    """Train on both sides in turn, print speeds, and compare the losses."""
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--conversations", type=int, default=4)
    cli.add_argument("--tokens", type=int, default=256, help="most tokens of a conversation")
    cli.add_argument("--steps", type=int, default=3, help="optimiser steps, each over all conversations")
    cli.add_argument("--their-batch", type=int, default=1, help="rows that TRL reads at once")
    cli.add_argument(
        "--their-packing", action=argparse.BooleanOptionalAction, default=True, help="TRL fills a row with samples"
    )
    cli.add_argument("--float32", action="store_true", help="no bfloat16: losses differ by no more than rounding")
    cli.add_argument("--rounds", type=int, default=2)
    cli.add_argument("--peak-tflops", type=float, help="of the device in bfloat16; prints the share of it in use")
    options = cli.parse_args()
    case = Case(
        n_conversations=options.conversations,
        max_length=options.tokens,
        steps=options.steps,
        their_batch=options.their_batch,
        their_packing=options.their_packing,
        bf16=not options.float32,
    )
    rounds: list[dict[str, Measured]] = []
    for turn in range(options.rounds):
        sides = ["ours", "trl"] if turn % 2 == 0 else ["trl", "ours"]
        rounds.append({side: train_in_process(side, case) for side in sides})
    names = {"ours": "ours", "trl": f"TRL, {'packed, ' if case.their_packing else ''}batches of {case.their_batch}"}
    for side, name in names.items():
        print(f"{name}: {format_speed([r[side] for r in rounds], case, options.peak_tflops)}")
    for unit in ("seconds", "processor_seconds"):
        ratios = sorted(getattr(r["trl"][0], unit) / getattr(r["ours"][0], unit) for r in rounds)
        print(
            f"ours is {statistics.median(ratios):.2f} times as fast in {unit.replace('_', ' ')} "
            f"(rounds: {', '.join(f'{ratio:.2f}' for ratio in ratios)})"
        )
    compare_losses(rounds[0]["ours"][0], rounds[0]["trl"][0])


def train_in_process(side: str, case: Case) -> Measured:
    """Run one training in a process of its own; return it with its usage."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "training.json"
        command = [sys.executable, "-m", "benchmarks.sft_sides", side, str(out), json.dumps(case._asdict())]
        run = process_tree.run_command(command, Path(folder) / "log")
        return TrainingRun(**json.loads(out.read_text(encoding="utf-8"))), run


def format_speed(measured: list[Measured], case: Case, peak_tflops: float | None) -> str:
    """Return seconds, tokens and memory of one side as text.

    Seconds are medians over rounds.
    """
    training = measured[0][0]
    passes = case.n_conversations * case.steps
    seconds = statistics.median(run.seconds for run, _ in measured)
    processor = statistics.median(run.processor_seconds for run, _ in measured)
    tokens_per_second = training.tokens * case.steps / seconds
    # Forward and backward are 6 floating-point operations per weight and token (Kaplan et al. 2020, §2.1).
    used = 6 * training.parameters * tokens_per_second / 1e12
    memory = training.device_bytes or max(usage.own_bytes for _, usage in measured)
    parts = [
        f"{seconds / passes:.2f} s per conversation ({processor / passes:.2f} processor s)",
        f"{training.sequences} sequences of {training.tokens:,} tokens a step, {training.targets:,} learnt",
        f"{tokens_per_second:,.0f} tokens/s",
        f"{memory / 1e9:.1f} GB",
    ]
    return ", ".join(parts if peak_tflops is None else [*parts, f"MFU {used / peak_tflops:.1%}"])


def compare_losses(ours: TrainingRun, trl: TrainingRun) -> None:
    """Print both trajectories. Raises AssertionError where they differ."""
    max_difference = max(abs(a - b) for a, b in zip(ours.losses, trl.losses, strict=True))
    for name, training in {"ours": ours, "TRL": trl}.items():
        print(
            f"loss of each step, {name}: {', '.join(f'{loss:.4f}' for loss in training.losses)}; "
            f"held-out: {training.held_out_before:.4f} before, {training.held_out:.4f} after"
        )
    print(f"steps differ by {max_difference:.0e} nats at most, held-out by {abs(ours.held_out - trl.held_out):.0e}")
    assert ours.targets == trl.targets, "both must learn the same tokens"
    assert max_difference < TOLERANCE, "both must minimise the same loss"


if __name__ == "__main__":
    main()
