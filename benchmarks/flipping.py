"""Flipping: one sequence per conversation against the paper's K+1 samples, for the same targets."""

import time

import polars as pl

from turnabout import backbones, schemas
from turnabout.chat_format import ChatFormat
from turnabout.flipping import flip
from turnabout.sources.chitchat import Chitchat

N_CONVERSATIONS = 500
BACKBONE = "smollm2-135m-instruct"


def samples() -> pl.DataFrame:
    """Flipped conversations of the embedded log, all with one intent."""
    log = Chitchat(format="chitchat")
    messages = next(batch.messages for piece in log.pieces() for batch in log.batches(piece))
    ids = messages["conversation_id"].unique(maintain_order=True).head(N_CONVERSATIONS)
    splits = pl.DataFrame({"conversation_id": ids}).with_columns(user_key=pl.lit("u"), split=pl.lit("train"))
    intents = pl.DataFrame({"conversation_id": ids}).with_columns(
        intent=pl.lit("You are a user."), author=pl.lit("none"), leaks=pl.lit(False), reason=pl.lit(None, pl.String)
    )
    return flip(messages, splits, intents.select(list(schemas.INTENTS)), mirror=False)


def one_row(chat: ChatFormat, sample: dict) -> tuple[int, int]:  # type: ignore[type-arg]
    """Tokens read and tokens learnt of one conversation as one sequence."""
    targets = {index + 1 for index in sample["target_indexes"]}
    row = chat.encode([{"role": "system", "content": sample["intent"]}, *sample["messages"]], targets)
    return len(row.input_ids), sum(row.is_target)


def k_plus_one(chat: ChatFormat, sample: dict) -> tuple[int, int]:  # type: ignore[type-arg]
    """The same as K samples, each rendered and tokenised from the start by the tokenizer's own template."""
    read = learnt = 0
    for index in sample["target_indexes"]:
        history = [{"role": "system", "content": sample["intent"]}, *sample["messages"][: index + 1]]
        ids = chat.tokenizer.apply_chat_template(history, tokenize=True, return_dict=True)["input_ids"]
        words = chat.completion_ids(history[-1]["content"])
        read, learnt = read + len(ids), learnt + len(words)
    return read, learnt


def main() -> None:
    chat = backbones.load_named(BACKBONE, "float32").chat
    rows = samples().to_dicts()
    totals = {}
    for name, encode in {"one sequence": one_row, "K+1 samples": k_plus_one}.items():
        began = time.perf_counter()
        counts = [encode(chat, row) for row in rows]
        totals[name] = (*map(sum, zip(*counts, strict=True)), time.perf_counter() - began)
        read, learnt, seconds = totals[name]
        print(f"{name}: {read:,} tokens read, {learnt:,} learnt, tokenised in {seconds:.2f} s")
    ours, theirs = totals["one sequence"], totals["K+1 samples"]
    assert ours[1] == theirs[1], "both must learn the same tokens"
    print(
        f"{theirs[0] / ours[0]:.1f} times fewer tokens to train on, tokenised {theirs[2] / ours[2]:.1f} times as fast"
    )


if __name__ == "__main__":
    main()
