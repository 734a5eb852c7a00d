"""The user model after half an hour of training on a CPU, on held-out users.

Run it after `make demo`, whose messages it reads. In the embedded log people talk to people, so the model is trained
and evaluated on the messages of both speakers. On every conversation of the test split, bits per character of the
first 128 message tokens (text and end of turn) are measured; on some of them, termination. No test user speaks in a
training conversation. So training covers only beginnings of that length and some endings: in the same time, more people
than with whole conversations. For the same reason there is no validation split, and conversations per person are not
capped.
"""

import argparse
import math
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import yaml

from stages import clean, split
from stages._command import ENVIRONMENT
from stages._models import open_configured_model
from turnabout.ablations.table import format_estimate
from turnabout.core import schemas
from turnabout.core.io import read_frame
from turnabout.generation.local.generator import LocalGenerator
from turnabout.intents.flipping import flip_conversations
from turnabout.intents.wording import NO_INTENT
from turnabout.intents.writing import write_intents
from turnabout.metrics.termination import measure_termination
from turnabout.models.chat_format import ChatFormat, EncodedChat
from turnabout.models.checkpoints import Checkpoint
from turnabout.models.loading import open_model
from turnabout.models.logps import compute_token_logps, pad_rows
from turnabout.params import Params, load_params
from turnabout.stats.estimate import Bootstrap
from turnabout.training.engine.settings import WORK, RunContext
from turnabout.training.user_model.train import save_user, train_user

#: First tokens of each test conversation that are predicted, without headers and intent.
LENGTH = 128

#: Last tokens of each conversation in which termination is predicted.
ENDING_LENGTH = 512

#: Conversations outside of training that choose the threshold of termination, and test conversations for it.
N_VALIDATION, N_TEST = 100, 200

BATCH_SIZE = 8


def load_samples(params: Params) -> pl.DataFrame:
    """Return every conversation that is not excluded, flipped.

    The intents are written by the backbone.
    """
    with TemporaryDirectory() as folder:
        talks, splits = clean_and_split_log(params, Path(folder))
    settings = params.intend
    generator = open_configured_model(
        settings.generator, Path("models/backbone"), params.backbone.dtype, settings.batch_size
    )
    written = write_intents(talks, generator, settings, params.seed)
    return flip_conversations(talks, splits, written, mirror=False).with_columns(
        user_key=pl.coalesce("user_key", "conversation_id")
    )


def clean_and_split_log(params: Params, folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return ingested messages, cleaned, and their splits.

    Conversations per person are not capped, and no conversation is kept for validation.
    """
    values = params.model_dump(mode="json")
    values["clean"]["max_conversations_per_person"] = None
    values["split"]["validation"] = 0.0
    settings = folder / "params.yaml"
    settings.write_text(yaml.safe_dump(values), encoding="utf-8")
    messages, splits = folder / "messages", folder / "splits.parquet"
    clean.main(
        Path("data/ingested"),
        Path("evaluation_sets"),
        messages=messages,
        quarantine=folder / "quarantine.parquet",
        ledger=folder / "ledger",
        metrics=folder / "clean.json",
        params=settings,
    )
    split.main(messages, splits, folder / "split.json", settings)
    assigned = read_frame(splits, schemas.SPLITS).filter(pl.col("split") != "excluded")
    return read_frame(messages, schemas.MESSAGES).join(assigned, on="conversation_id", how="semi"), assigned


def train_on_parts(options: argparse.Namespace, params: Params, conversations: pl.DataFrame) -> Checkpoint:
    """Train the start on parts of the conversations; print the time.

    It is trained on all beginnings and on some endings.
    """
    changes = {
        "learning_rate": options.learning_rate,
        "batch_size": options.batch_size,
        "epochs": 1,
        "max_length": ENDING_LENGTH,
        "max_tokens": None,
        "packing": False,
        "lora_rank": options.lora_rank or None,
        "sampled_softmax": options.sampled_softmax,
    }
    train_options = params.train_user.model_copy(update=changes)
    run = RunContext(seed=params.seed, dtype="bfloat16", start=options.start, work=WORK / "held_out_users")
    began, spent = time.monotonic(), time.process_time()
    start = open_model(options.start, "float32")
    cut = cut_into_parts(conversations, start.chat)
    begins, endings = cut.filter("begins"), cut.filter(~pl.col("begins"), "ends")
    rows = pl.concat([begins, _sample_rows(endings, options.endings, params.seed)]).drop("begins")
    trained = train_user(start, rows, options=train_options, run=run)
    minutes, cpu = (time.monotonic() - began) / 60, (time.process_time() - spent) / 60
    print(
        f"trained on {trained.metrics['n_tokens']:,} tokens, {begins.height} beginnings and "
        f"{rows.height - begins.height} endings, in {minutes:.1f} min ({cpu:.1f} min of processor time)",
        flush=True,
    )
    return trained.checkpoint


def cut_into_parts(talks: pl.DataFrame, chat: ChatFormat) -> pl.DataFrame:
    """Cut conversations into parts of whole messages.

    Each part has at least `LENGTH` tokens. The last part may be shorter. Column `begins` marks the first part of a
    conversation.
    """
    rows = []
    for talk in talks.iter_rows(named=True):
        texts = [message["content"] for message in talk["messages"]]
        sizes = [len(ids) for ids in chat.encode_completions(texts)]
        begin, n_tokens = 0, 0
        for stop, size in enumerate(sizes, start=1):
            n_tokens += size
            if n_tokens >= LENGTH or stop == len(sizes):
                part = {
                    "conversation_id": f"{talk['conversation_id']} {begin}",
                    "messages": talk["messages"][begin:stop],
                    "target_indexes": list(range(stop - begin)),
                    "begins": begin == 0,
                    "ends": talk["ends"] and stop == len(sizes),
                }
                rows.append({**talk, **part})
                begin, n_tokens = stop, 0
    return pl.DataFrame(rows, schema={**talks.schema, "begins": pl.Boolean()})


def print_bits_per_character(name: str, checkpoint: Checkpoint, test: pl.DataFrame, params: Params) -> None:
    """Print bits per character of all messages.

    They are measured with and without the intent.
    """
    for condition in ("with intent", "without intent"):
        rows, sizes = [], []
        for talk in test.iter_rows(named=True):
            system = talk["intent"] if condition == "with intent" else NO_INTENT
            row, size = _cut_to_first_tokens(checkpoint, [{"role": "system", "content": system}, *talk["messages"]])
            rows.append(row)
            sizes.append(size)
        _print_estimate(f"{name}, {condition}", checkpoint, rows, sizes=sizes, test=test, params=params)


def _cut_to_first_tokens(checkpoint: Checkpoint, messages: list[Any]) -> tuple[EncodedChat, int]:
    """Return a conversation up to its last predicted token, and its length.

    The length is in characters. An end of turn counts as one character.
    """
    chat = checkpoint.chat
    row = chat.encode(messages, range(1, len(messages)))
    positions = [i for i, is_target in enumerate(row.is_target) if is_target][:LENGTH]
    kept = EncodedChat(row.input_ids[: positions[-1] + 1], row.is_target[: positions[-1] + 1])
    n_remaining, characters = len(positions), 0
    texts = [m["content"] for m in messages[1:]]
    for text, ids in zip(texts, chat.encode_completions(texts), strict=True):
        if len(ids) > n_remaining:
            return kept, characters + len(checkpoint.tokenizer.decode(ids[:n_remaining]))
        n_remaining -= len(ids)
        characters += len(text) + 1
    return kept, characters


def print_bits_per_character_as_lines(name: str, checkpoint: Checkpoint, test: pl.DataFrame, params: Params) -> None:
    """Print bits per character of the beginnings as plain text.

    Each line is one message. An untrained base model has learnt no chat template.
    """
    rows, sizes = [], []
    tokenizer = checkpoint.tokenizer
    first = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    for messages in test["messages"]:
        text = "\n".join(m["content"] for m in messages)
        read = tokenizer(
            text, add_special_tokens=False, truncation=True, max_length=LENGTH, return_offsets_mapping=True
        )
        rows.append(EncodedChat([*first, *read.input_ids], [False] * len(first) + [True] * len(read.input_ids)))
        sizes.append(read.offset_mapping[-1][1] - (0 if first else read.offset_mapping[0][1]))
    _print_estimate(f"{name}, as plain lines", checkpoint, rows, sizes=sizes, test=test, params=params)


def _print_estimate(
    name: str, checkpoint: Checkpoint, rows: list[EncodedChat], *, sizes: list[int], test: pl.DataFrame, params: Params
) -> None:
    """Print bits per character of rows.

    `sizes` are their numbers of characters.
    """
    import torch

    bits = []
    with torch.inference_mode():
        for start in range(0, len(rows), BATCH_SIZE):
            logps = compute_token_logps(checkpoint.model, pad_rows(rows[start : start + BATCH_SIZE]))
            bits += (-logps.sum(dim=1) / math.log(2)).tolist()
    estimate = Bootstrap(params.evaluate.resamples, params.seed).ratio(bits, sizes, test["user_key"].to_list())
    print(
        f"{name}: {estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}] bits per character "
        f"of {sum(sizes):,} in {test.height} conversations",
        flush=True,
    )


def print_termination(
    name: str, checkpoint: Checkpoint, role: Any, conversations: list[pl.DataFrame], params: Params
) -> None:
    """Print F1 of termination over the last tokens of conversations.

    F1 is that of draws, and that at the threshold which is best on the first frame of `conversations`.
    """
    validation, test = conversations
    settings = params.evaluate.model_copy(update={"ending_length": ENDING_LENGTH})
    termination = measure_termination(
        LocalGenerator(checkpoint, role, BATCH_SIZE),
        validation=validation,
        test=test,
        settings=settings,
        seed=params.seed,
    )
    for key, e in termination.estimates.items():
        print(f"{name}, termination, {key}: {format_estimate(e.to_dict())} at {e.n:,} positions", flush=True)


def _sample_rows(talks: pl.DataFrame, n: int, seed: int) -> pl.DataFrame:
    return talks.sample(min(n, talks.height), shuffle=True, seed=seed)


def main() -> None:
    """Train the user model, measure it beside the others, and print the results."""
    import torch

    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--start", default="gemma-3-270m", help="an embedded name, a Hub id or a folder")
    cli.add_argument("--conversations", type=int, default=1850, help="conversations whose beginnings are trained on")
    cli.add_argument("--endings", type=int, default=250, help="how many of their endings are trained on")
    cli.add_argument("--sampled-softmax", type=int, default=4096, help="sampled tokens that stand for all absent ones")
    cli.add_argument("--batch-size", type=int, default=4, help="parts a step")
    cli.add_argument("--lora-rank", type=int, default=64, help="0 trains every weight")
    cli.add_argument("--learning-rate", type=float, default=2e-4)
    cli.add_argument("--out", type=Path, help="folder for the trained model")
    options = cli.parse_args()
    params = load_params(Path("params.yaml"))
    talks = load_samples(params)
    test, drawn = talks.filter(split="test"), _sample_rows(talks.filter(split="train"), talks.height, params.seed)
    endings = [drawn.head(N_VALIDATION), _sample_rows(test, N_TEST, params.seed)]
    trained = train_on_parts(options, params, drawn[N_VALIDATION:].head(options.conversations))
    if options.out:
        save_user(trained, options.out)
    trained.model.to(torch.bfloat16).eval()  # type: ignore[arg-type]  # wrong stub
    print_bits_per_character("trained", trained, test, params)
    print_termination("trained", trained, "user", conversations=endings, params=params)
    del trained
    print_bits_per_character_as_lines("untrained", open_model(options.start), test, params)
    backbone = open_model(str(Path("models/backbone")))
    print_termination("prompted", backbone, "assistant", conversations=endings, params=params)


if __name__ == "__main__":
    os.environ.update(ENVIRONMENT)
    main()
