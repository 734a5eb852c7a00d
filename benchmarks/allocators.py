"""Speed of user model training on tcmalloc against the system's allocator.

    python -m benchmarks.allocators [--start smollm2-135m-instruct] [--conversations 200] [--lora-rank 64]

Run it after `make tcmalloc`. It measures tokens per second at the beginning and the end of a training. Each side runs
in processes of its own, the sides take turns, and the loss of every step must be the same.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from turnabout.pipeline.allocator import allocator_environment

MAX_LENGTH, BATCH = 192, 4
SIDES = ("the system's", "tcmalloc")


def main() -> None:
    """Train on both sides in turn and print tokens per second and memory."""
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--start", default="smollm2-135m-instruct", help="an embedded name, a Hub id or a folder")
    cli.add_argument("--conversations", type=int, default=200)
    cli.add_argument("--lora-rank", type=int, default=0, help="0 trains every weight")
    cli.add_argument("--sampled-softmax", type=int, default=0, help="0 computes the full softmax")
    cli.add_argument("--rounds", type=int, default=1)
    cli.add_argument("--trained", action="store_true", help=argparse.SUPPRESS)
    options = cli.parse_args()
    if options.trained:
        print(json.dumps(train_once(options)))
        return
    if not (tcmalloc_variables := allocator_environment()):
        sys.exit("tcmalloc is not installed, or LD_PRELOAD is set already: run `make tcmalloc`, unset LD_PRELOAD")
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in SIDES}
    for turn in range(options.rounds):
        for name in sorted(SIDES, reverse=turn % 2 == 0):
            again = [sys.executable, "-m", __spec__.name, *sys.argv[1:], "--trained"]
            env = {**os.environ, **(tcmalloc_variables if name == SIDES[1] else {})}
            done = subprocess.run(again, stdout=subprocess.PIPE, text=True, check=True, env=env)
            results[name].append(json.loads(done.stdout))
            line = "{:<12} {whole:4.0f} tokens/s (first fifth {first:.0f}, last {last:.0f})  {mb:6,.0f} MB"
            print(line.format(name, **results[name][-1]), flush=True)
    both = list(zip(*results.values(), strict=True))
    for system, tcmalloc in both:
        assert system["losses"] == tcmalloc["losses"], "the sides differ in their losses"
    ratios = [tcmalloc["whole"] / system["whole"] for system, tcmalloc in both]
    print(f"tcmalloc is {statistics.median(ratios):.2f} times as fast, with the same loss at every step")


def train_once(options: argparse.Namespace) -> dict[str, Any]:
    """Return tokens per second, peak memory and losses of one training.

    Tokens per second are those of the whole training, of its first and of its last fifth. Memory is in 10⁶ bytes.
    """
    from benchmarks.sft_conversations import build_train_options, load_excerpts
    from turnabout.models.loading import open_model
    from turnabout.training.engine.settings import RunContext
    from turnabout.training.user_model.train import add_end_token, train_user

    start = add_end_token(open_model(options.start, "float32"))
    cut = load_excerpts(start.chat, MAX_LENGTH).head(options.conversations)
    train_options = build_train_options(
        max_length=MAX_LENGTH,
        batch_size=BATCH,
        learning_rate=2e-5,
        packing=False,
        lora_rank=options.lora_rank or None,
        sampled_softmax=options.sampled_softmax or None,
    )
    with TemporaryDirectory() as work:
        run = RunContext(seed=1, dtype="bfloat16", start=options.start, work=Path(work) / "work")
        history = train_user(start, cut, options=train_options, run=run).history
    fifth = history.height // 5
    return {
        "whole": _compute_tokens_per_second(history),
        "first": _compute_tokens_per_second(history.head(fifth)),
        "last": _compute_tokens_per_second(history.tail(fifth)),
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
        "losses": history["loss"].to_list(),
    }


def _compute_tokens_per_second(steps: pl.DataFrame) -> float:
    """Return tokens per second of these steps without the first one."""
    return float((steps["tokens"][-1] - steps["tokens"][0]) / steps["seconds"][1:].sum())


if __name__ == "__main__":
    main()
