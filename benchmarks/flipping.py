"""Speed of flipping and tokenising a log, against K+1 samples.

    python -m benchmarks.flipping [--log chitchat | made-up] [--conversations 50000] [--peer-conversations 200]

Ours builds one sequence per conversation. The plain script builds the K+1 samples of the paper: for every user turn and
for the end of the conversation it renders and tokenises the prompt, and the prompt with the turn, from the start of the
conversation. It needs both to know where the loss begins (trl does the same with its prompt–completion samples). The
script runs on a sample of the conversations, and rates are compared. Both must learn the same tokens, in the same
order. Nothing is cut.

`chitchat` is the embedded log, repeated under new ids. In the `made-up` log conversations are short and messages long.
Ours uses as many threads as RAYON_NUM_THREADS allows, the script one; processor seconds are summed over threads.
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
#: Conversations whose rows ours keeps in memory at a time.
SLICE_SIZE = 1_000


class TimedResult(NamedTuple):
    """A result, its seconds and its processor seconds over all threads."""

    result: Any
    seconds: float
    processor_seconds: float


def main() -> None:
    """Measure both sides, check that their targets agree, and print the ratios."""
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--log", choices=["chitchat", "made-up"], default="chitchat")
    cli.add_argument("--conversations", type=int, default=50_000)
    cli.add_argument("--peer-conversations", type=int, default=200)
    options = cli.parse_args()
    chat = add_end_token(load_embedded(BACKBONE, "float32")).chat
    messages = {"chitchat": load_chitchat, "made-up": build_synthetic_messages}[options.log](options.conversations)
    flipped = measure_time(lambda: flip_conversations(messages, *build_splits_and_intents(messages), mirror=False))
    samples: pl.DataFrame = flipped.result
    print(f"{samples.height:,} conversations, {messages.height:,} messages; {count_tokenizer_threads()} threads")
    n_tokens = measure_time(lambda: sum(len(row.input_ids) for row in encode_conversations(chat, samples)))
    print(f"ours: flipped in {flipped.seconds:.1f} s, {n_tokens.result:,} tokens in {n_tokens.seconds:.1f} s")

    subset = samples.sample(min(options.peer_conversations, samples.height), seed=SEED)
    peer = measure_time(lambda: encode_all_k_plus_one_samples(chat, subset))
    peer_rows: list[EncodedChat] = peer.result
    own_rows = list(encode_conversations(chat, subset))
    assert list_target_tokens(own_rows) == list_target_tokens(peer_rows), "both must learn the same tokens"
    n_own, n_peer = (sum(len(row.input_ids) for row in rows) for rows in (own_rows, peer_rows))
    print(
        f"per turn, {subset.height:,} conversations: {len(peer_rows):,} samples, {peer.seconds:.1f} s; the same targets"
    )
    print(f"{n_peer / n_own:.1f} times fewer tokens to train on for them: {n_own:,} instead of {n_peer:,}")
    for name, label in LABELS.items():
        own_rate = (getattr(flipped, name) + getattr(n_tokens, name)) / samples.height
        print(f"{getattr(peer, name) / subset.height / own_rate:.1f} times as fast by {label}")


LABELS = {"seconds": "the clock", "processor_seconds": "processor seconds"}


def load_chitchat(n: int) -> pl.DataFrame:
    """Return `n` conversations of the embedded log, repeated under new ids."""
    log = Chitchat(format="chitchat")
    whole = pl.concat([batch.messages for piece in log.list_pieces() for batch in log.read_batches(piece)])
    n_copies = -(-n // whole["conversation_id"].n_unique())
    again = [whole.with_columns(pl.col("conversation_id") + f"#{copy}") for copy in range(n_copies)]
    return keep_first_conversations(pl.concat(again), n)


def build_synthetic_messages(n: int) -> pl.DataFrame:
    """Return the messages of `n` synthetic conversations with an assistant."""
    rows = []
    for record in islice(generate_records(0, 100 * n, SEED), n):
        for index, message in enumerate(record["messages"]):
            row = {"conversation_id": record["conversation_id"], "message_index": index}
            rows.append({**row, "role": message["role"], "text": message["content"]})
    absent = [pl.lit(None, dtype=kind).alias(name) for name, kind in schemas.MESSAGES.items() if name not in rows[0]]
    return pl.DataFrame(rows, schema_overrides=schemas.MESSAGES).with_columns(absent).select(list(schemas.MESSAGES))


def keep_first_conversations(messages: pl.DataFrame, n: int) -> pl.DataFrame:
    """Return the messages of the first `n` conversations."""
    ids = messages.select("conversation_id").unique(maintain_order=True).head(n)
    return messages.join(ids, on="conversation_id", how="semi")


def build_splits_and_intents(messages: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return splits and intents.

    All conversations are for training, with one intent.
    """
    ids = messages.select("conversation_id").unique()
    return ids.with_columns(split=pl.lit("train")), ids.with_columns(intent=pl.lit(INTENT))


def encode_conversations(chat: ChatFormat, samples: pl.DataFrame) -> Iterator[EncodedChat]:
    """Yield one row per conversation."""
    for part in samples.iter_slices(SLICE_SIZE):
        yield from cut_windows(chat, part, NO_LIMIT)[0]


def encode_k_plus_one_samples(chat: ChatFormat, sample: dict[str, Any]) -> Iterator[EncodedChat]:
    """Yield a sample for each user turn and one for the end of the conversation.

    Each is rendered and tokenised from the start of the conversation.
    """
    tokenizer, header, end = chat.tokenizer, chat.frame.headers["user"], chat.frame.footer.rstrip("\n")
    final_turn = [{"role": "user", "content": END_OF_CONVERSATION}] if sample["ends"] else []
    messages = [{"role": "system", "content": sample["intent"]}, *sample["messages"], *final_turn]
    for index, message in enumerate(messages):
        if message["role"] == "user":
            prompt = str(tokenizer.apply_chat_template(messages[:index], tokenize=False)) + header
            n_prompt = len(tokenizer(prompt, add_special_tokens=False).input_ids)
            ids = tokenizer(prompt + message["content"] + end, add_special_tokens=False).input_ids
            yield EncodedChat(ids, [False] * n_prompt + [True] * (len(ids) - n_prompt))


def encode_all_k_plus_one_samples(chat: ChatFormat, samples: pl.DataFrame) -> list[EncodedChat]:
    """Return the K+1 samples of all conversations."""
    return [row for sample in samples.to_dicts() for row in encode_k_plus_one_samples(chat, sample)]


def list_target_tokens(rows: list[EncodedChat]) -> list[int]:
    """Return the target tokens of all rows, in order."""
    targets = []
    for row in rows:
        targets += [token for token, is_target in zip(row.input_ids, row.is_target, strict=True) if is_target]
    return targets


def measure_time(work: Callable[[], Any]) -> TimedResult:
    """Run `work` and return its result with its times."""
    began, used = time.perf_counter(), time.process_time()
    result = work()
    return TimedResult(result, time.perf_counter() - began, time.process_time() - used)


def count_tokenizer_threads() -> str:
    """Return how many threads the tokenizer may use."""
    return os.environ.get("RAYON_NUM_THREADS", str(os.cpu_count()))


if __name__ == "__main__":
    main()
