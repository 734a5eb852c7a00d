"""Flipping and tokenising a log: one sequence per conversation against the K+1 samples of the paper, by a plain script.

    python -m benchmarks.flipping [--log chitchat | made-up] [--conversations 50000] [--peer-conversations 200]

The script renders and tokenises the prompt and the prompt with the turn, for every user turn and for leaving, from the
start of the conversation: it needs both to know where the loss begins (trl does the same with its prompt–completion
samples). It runs on a sample of the conversations, and rates are compared. Both must learn the same tokens, in the same
order. Nothing is cut.

`chitchat` is the embedded log, repeated under new ids; in `made-up` ones conversations are short and messages long.
Ours reads in as many threads as RAYON_NUM_THREADS allows, the script in one; processor seconds add threads up.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import polars as pl

from benchmarks.synthetic_log import generate_records
from turnabout.core import schemas
from turnabout.intents.flipping import flip_conversations
from turnabout.models.chat_format import END_OF_CONVERSATION, ChatFormat, EncodedChat
from turnabout.models.checkpoints import load_embedded
from turnabout.sources.chitchat import Chitchat
from turnabout.training.user_model.train import add_end_token
from turnabout.training.user_model.windows import cut_windows

BACKBONE, INTENT = "smollm2-135m-instruct", "You are a user chatting with an assistant language model to pass the time."
SEED, NO_LIMIT = 1, 10**9
#: Conversations of which ours keeps the rows at a time.
SLICE_SIZE = 1_000


class TimedResult(NamedTuple):
    """What was done, in seconds on the clock and of all threads together."""

    done: Any
    seconds: float
    processor: float


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--log", choices=["chitchat", "made-up"], default="chitchat")
    cli.add_argument("--conversations", type=int, default=50_000)
    cli.add_argument("--peer-conversations", type=int, default=200)
    given = cli.parse_args()
    chat = add_end_token(load_embedded(BACKBONE, "float32")).chat
    messages = {"chitchat": load_chitchat, "made-up": build_synthetic_messages}[given.log](given.conversations)
    flipped = measure_time(lambda: flip_conversations(messages, *build_splits_and_intents(messages), mirror=False))
    samples: pl.DataFrame = flipped.done
    print(f"{samples.height:,} conversations, {messages.height:,} messages; {count_tokenizer_threads()} threads")
    n_tokens = measure_time(lambda: sum(len(row.input_ids) for row in encode_conversations(chat, samples)))
    print(f"ours: flipped in {flipped.seconds:.1f} s, {n_tokens.done:,} tokens in {n_tokens.seconds:.1f} s")

    some = samples.sample(min(given.peer_conversations, samples.height), seed=SEED)
    theirs = measure_time(lambda: [list(encode_k_plus_one_samples(chat, talk)) for talk in some.to_dicts()])
    apart = [sample for of_talk in theirs.done for sample in of_talk]
    together = list(encode_conversations(chat, some))
    same = [token for row in together for token in list_target_tokens(row)] == [token for row in apart for token in list_target_tokens(row)]
    assert same, "both must learn the same tokens"
    read, again = (sum(len(row.input_ids) for row in rows) for rows in (together, apart))
    print(f"per turn, {some.height:,} conversations: {len(apart):,} samples, {theirs.seconds:.1f} s; the same targets")
    print(f"{again / read:.1f} times fewer tokens to train on for them: {read:,} instead of {again:,}")
    for name in ("seconds", "processor"):
        mine = (getattr(flipped, name) + getattr(n_tokens, name)) / samples.height
        print(f"{getattr(theirs, name) / some.height / mine:.1f} times as fast by {LABELS[name]}")


LABELS = {"seconds": "the clock", "processor": "processor seconds"}


def load_chitchat(n: int) -> pl.DataFrame:
    """Messages of the embedded log, again and again under new ids, up to `n` conversations."""
    log = Chitchat(format="chitchat")
    whole = pl.concat([batch.messages for piece in log.list_pieces() for batch in log.read_batches(piece)])
    n_copies = -(-n // whole["conversation_id"].n_unique())
    again = [whole.with_columns(pl.col("conversation_id") + f"#{copy}") for copy in range(n_copies)]
    return keep_first_conversations(pl.concat(again), n)


def build_synthetic_messages(n: int) -> pl.DataFrame:
    """Messages of `n` conversations with an assistant, made up."""
    talks = islice(generate_records(0, 100 * n, SEED), n)
    rows = [
        {"conversation_id": talk["conversation_id"], "message_index": i, "role": m["role"], "text": m["content"]}
        for talk in talks
        for i, m in enumerate(talk["messages"])
    ]
    absent = [pl.lit(None, dtype=kind).alias(name) for name, kind in schemas.MESSAGES.items() if name not in rows[0]]
    return pl.DataFrame(rows, schema_overrides=schemas.MESSAGES).with_columns(absent).select(list(schemas.MESSAGES))


def keep_first_conversations(messages: pl.DataFrame, n: int) -> pl.DataFrame:
    """The messages of the first `n` conversations."""
    ids = messages.select("conversation_id").unique(maintain_order=True).head(n)
    return messages.join(ids, on="conversation_id", how="semi")


def build_splits_and_intents(messages: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Splits and intents: all conversations are for training, with one and the same intent."""
    ids = messages.select("conversation_id").unique()
    return ids.with_columns(split=pl.lit("train")), ids.with_columns(intent=pl.lit(INTENT))


def encode_conversations(chat: ChatFormat, samples: pl.DataFrame) -> Iterator[EncodedChat]:
    """Rows of all conversations, one each."""
    for part in samples.iter_slices(SLICE_SIZE):
        yield from cut_windows(chat, part, NO_LIMIT)[0]


def encode_k_plus_one_samples(chat: ChatFormat, sample: dict[str, Any]) -> Iterator[EncodedChat]:
    """One sample for each user turn and one for leaving, rendered and tokenised from the start of the conversation."""
    tokenizer, header, end = chat.tokenizer, chat.frame.headers["user"], chat.frame.footer.rstrip("\n")
    final_turn = [{"role": "user", "content": END_OF_CONVERSATION}] if sample["ends"] else []
    messages = [{"role": "system", "content": sample["intent"]}, *sample["messages"], *final_turn]
    for index, message in enumerate(messages):
        if message["role"] == "user":
            prompt = str(tokenizer.apply_chat_template(messages[:index], tokenize=False)) + header
            n_prompt = len(tokenizer(prompt, add_special_tokens=False).input_ids)
            ids = tokenizer(prompt + message["content"] + end, add_special_tokens=False).input_ids
            yield EncodedChat(ids, [False] * n_prompt + [True] * (len(ids) - n_prompt))


def list_target_tokens(row: EncodedChat) -> list[int]:
    """The tokens of a row that are targets."""
    return [token for token, is_target in zip(*row, strict=True) if is_target]


def measure_time(work: Callable[[], Any]) -> TimedResult:
    """What `work` gives, and how long it took."""
    began, used = time.perf_counter(), time.process_time()
    done = work()
    return TimedResult(done, time.perf_counter() - began, time.process_time() - used)


def count_tokenizer_threads() -> str:
    """How many threads the tokenizer may use."""
    return os.environ.get("RAYON_NUM_THREADS", str(os.cpu_count()))


if __name__ == "__main__":
    main()
