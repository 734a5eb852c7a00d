"""The user model that half an hour on a CPU gives, on everybody in the log whom nobody in training has spoken to.

After `make demo`, whose tables it reads. Trained on the training conversations as far as `--tokens` go, and measured on
every conversation of the test split: bits per character of what people wrote (words and end of turn), and leaving.
"""

import argparse
import json
import os
import time
from pathlib import Path

import polars as pl

from stages._command import ENVIRONMENT
from stages._models import open_author
from turnabout import schemas
from turnabout.backbones import Checkpoint
from turnabout.flipping import flip
from turnabout.intending.writing import intents
from turnabout.io import read_frame
from turnabout.metrics.perplexity import bits_per_character
from turnabout.metrics.termination import best_threshold, termination
from turnabout.metrics.user_turns import endings, openings, score
from turnabout.params import Params, load_params
from turnabout.serving.opening import open_model
from turnabout.training.loop import WORK, Settings
from turnabout.training.user import save_user, train_user

#: First tokens of each test conversation in which people's words are foreseen: its beginning alone, and more of it.
LENGTHS = (128, 512)

#: Last tokens of each test conversation in which leaving is foreseen.
ENDING = 256

BATCH = 8


def samples(params: Params) -> pl.DataFrame:
    """Every conversation of the log that is not excluded, flipped, with an intent by the backbone."""
    splits = read_frame(Path("data/splits.parquet"), schemas.SPLITS).filter(pl.col("split") != "excluded")
    talks = read_frame(Path("data/messages"), schemas.MESSAGES).join(splits, on="conversation_id", how="semi")
    settings = params.intend
    author = open_author(settings.author, Path("models/backbone"), params.backbone.dtype, settings.batch_size)
    written = intents(talks, author, settings, params.seed)
    return flip(talks, splits, written, mirror=False).with_columns(user_key=pl.coalesce("user_key", "conversation_id"))


def train(options: argparse.Namespace, params: Params, learnt: pl.DataFrame) -> Checkpoint:
    """The start, trained; prints how long that took."""
    settings = Settings(
        learning_rate=options.learning_rate,
        epochs=1,
        batch_size=options.batch_size,
        seed=params.seed,
        bf16=True,
        start=options.start,
        warmup=0.05,
    )
    began, spent = time.monotonic(), time.process_time()
    start = open_model(options.start, "float32")
    trained = train_user(start, learnt, options.max_length, options.tokens, settings, WORK / "strangers")
    minutes, cpu = (time.monotonic() - began) / 60, (time.process_time() - spent) / 60
    print(
        f"trained on {trained.metrics['n_tokens']:,} tokens in {minutes:.1f} min ({cpu:.1f} min of processor time)",
        flush=True,
    )
    return trained.checkpoint


def foreseen(name: str, checkpoint: Checkpoint, test: pl.DataFrame, params: Params) -> None:
    """Print bits per character within each of `LENGTHS`, told the intent; the shorter is a part of the longer."""
    read = openings(test, checkpoint.chat, max(LENGTHS), with_intent=True)
    turns = score(checkpoint, read, BATCH).turns
    for length in LENGTHS:
        within = openings(test, checkpoint.chat, length, with_intent=True)
        last = {e.conversation_id: sum(m["role"] == "user" for m in e.messages) for e in within}
        kept = turns.filter(pl.col("turn") <= pl.col("conversation_id").replace_strict(last, return_dtype=pl.Int64))
        bits = bits_per_character(kept, params.evaluate.resamples, params.seed)
        print(
            f"{name}, first {length} tokens: {bits.value:.3f} [{bits.low:.3f}, {bits.high:.3f}] bits per character "
            f"of {bits.n:,} user messages in {test.height} conversations",
            flush=True,
        )


def leaving(name: str, checkpoint: Checkpoint, speaks: str, held_out: pl.DataFrame, params: Params) -> None:
    """Print F1 of leaving over the last tokens of each conversation, by draws and at the best threshold."""
    of = {
        split: score(
            checkpoint, endings(held_out.filter(split=split), checkpoint.chat, ENDING), BATCH, speaks
        ).decisions
        for split in ("validation", "test")
    }
    found = termination(of["test"], best_threshold(of["validation"]), params.evaluate.resamples, params.seed)
    shown = {key: f"{e.value:.3f} [{e.low:.3f}, {e.high:.3f}]" for key, e in found.items() if e.low is not None}
    print(f"{name}, leaving at {of['test'].height:,} places: {json.dumps(shown)}", flush=True)


def main() -> None:
    """Train, measure, print."""
    import torch

    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--start", default="smollm2-135m-instruct", help="an embedded name, a Hub id or a folder")
    cli.add_argument("--tokens", type=int, default=340_000, help="tokens read in training")
    cli.add_argument("--max-length", type=int, default=512)
    cli.add_argument("--batch-size", type=int, default=2, help="rows of max-length a step")
    cli.add_argument("--learning-rate", type=float, default=1.5e-4)
    cli.add_argument("--out", type=Path, help="folder for the trained model")
    options = cli.parse_args()
    params = load_params(Path("params.yaml"))
    held_out = samples(params)
    test = held_out.filter(split="test")
    trained = train(options, params, held_out.filter(split="train"))
    if options.out:
        save_user(trained, options.out)
    trained.model.to(torch.bfloat16).eval()
    foreseen("trained", trained, test, params)
    leaving("trained", trained, "user", held_out, params)
    del trained
    foreseen("untrained", open_model(options.start), test, params)
    leaving("prompted", open_model(str(Path("models/backbone"))), "assistant", held_out, params)


if __name__ == "__main__":
    os.environ.update(ENVIRONMENT)
    main()
