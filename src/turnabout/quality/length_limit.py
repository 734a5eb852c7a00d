"""Pairs that are too long for the training of assistants."""

import polars as pl

from turnabout.models.chat_format import ChatFormat
from turnabout.models.logps import encode_answers
from turnabout.quality.base import drop_pairs


def drop_long_pairs(pairs: pl.DataFrame, chat: ChatFormat, max_length: int) -> pl.DataFrame:
    """Drop kept pairs with a side of more than `max_length` tokens.

    A side is the newest message of its prompt and the reply; older messages do not count, because training cuts them.
    Training would leave such a pair out, so it must not count as kept.
    """
    is_long = [bool(pair["keep"]) and _is_long(pair, chat, max_length) for pair in pairs.iter_rows(named=True)]
    marked = pairs.with_columns(is_long=pl.Series(is_long, dtype=pl.Boolean))
    reason = f"longer than train_assistant.max_length ({max_length} tokens)"
    return drop_pairs(marked, pl.col("is_long"), reason).drop("is_long")


def _is_long(pair: dict[str, object], chat: ChatFormat, max_length: int) -> bool:
    """Return whether a side of the pair needs more than `max_length` tokens."""
    prompts = {"chosen": pair["prompt"], "rejected": pair["rejected_prompt"] or pair["prompt"]}
    for side, prompt in prompts.items():
        if pair[side] is None:
            continue
        (encoded,) = encode_answers(chat, prompt, [pair[side]], max_length)  # type: ignore[arg-type, list-item]
        if len(encoded.input_ids) > max_length:
            return True
    return False
