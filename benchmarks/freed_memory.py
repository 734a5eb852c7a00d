"""The user model's training with the memory it frees kept, against giving it back, glibc's default: tokens per second.

    python -m benchmarks.freed_memory [--start smollm2-135m-instruct] [--conversations 48] [--lora-rank 0] [--rounds 2]

Each side runs in processes of its own, the sides take turns, and the loss of every step must be the same.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

MAX_LENGTH, BATCH = 192, 4
SIDES = ("given back", "kept")


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--start", default="smollm2-135m-instruct", help="an embedded name, a Hub id or a folder")
    cli.add_argument("--conversations", type=int, default=48)
    cli.add_argument("--lora-rank", type=int, default=0, help="0 trains every weight")
    cli.add_argument("--sampled-softmax", type=int, default=0, help="0 has every word")
    cli.add_argument("--rounds", type=int, default=2)
    cli.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = cli.parse_args()
    if options.side:
        print(json.dumps(trained(options)))
        return
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in SIDES}
    for turn in range(options.rounds):
        for name in sorted(SIDES, reverse=turn % 2 == 1):
            again = [sys.executable, "-m", __spec__.name, *sys.argv[1:], "--side", name]
            done = subprocess.run(again, stdout=subprocess.PIPE, text=True, check=True)
            found[name].append(json.loads(done.stdout))
            print("{:<10} {speed:5.0f} tokens/s  {faults:>10,} pages  {mb:6,.0f} MB".format(name, **found[name][-1]))
    for back, kept in zip(*found.values(), strict=True):
        assert back["losses"] == kept["losses"], "the sides differ in their losses"
    ratios = [kept["speed"] / back["speed"] for back, kept in zip(*found.values(), strict=True)]
    told = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"keeping it is {statistics.median(ratios):.2f} times as fast (rounds: {told})")


def trained(options: argparse.Namespace) -> dict[str, Any]:
    """One training: tokens per second after its first step, pages the system had to give, most memory in 10⁶ bytes."""
    from benchmarks.sft_conversations import excerpts
    from turnabout.serving.opening import open_model
    from turnabout.training import loop
    from turnabout.training.user import train_user, with_end_token

    if options.side == SIDES[0]:
        loop.keep_freed_memory = lambda: None
    start = with_end_token(open_model(options.start, "float32"))
    cut = excerpts(start.chat, MAX_LENGTH).head(options.conversations)
    settings = loop.Settings(2e-5, 1, BATCH, seed=1, bf16=True, start=options.start)
    how = {"lora_rank": options.lora_rank or None, "sampled_softmax": options.sampled_softmax or None}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    with TemporaryDirectory() as work:
        history = train_user(start, cut, MAX_LENGTH, None, settings, Path(work) / "work", packing=False, **how).history
    after = resource.getrusage(resource.RUSAGE_SELF)
    first, later = history.head(1), history[1:]
    return {
        "speed": (later["tokens"].max() - first["tokens"].item()) / later["seconds"].sum(),
        "faults": after.ru_minflt - before,
        "mb": after.ru_maxrss * 1024 / 1e6,
        "losses": history["loss"].to_list(),
    }


if __name__ == "__main__":
    main()
