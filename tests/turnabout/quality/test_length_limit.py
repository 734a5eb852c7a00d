"""Pairs that are longer than training allows are dropped when they are built."""

from pathlib import Path

import polars as pl
import pytest

from turnabout.core.messages import Message
from turnabout.models.chat_format import ChatFormat
from turnabout.models.checkpoints import load_chat
from turnabout.models.logps import encode_answers
from turnabout.preferences.base import to_pairs_frame
from turnabout.quality.length_limit import drop_long_pairs

PROMPT: list[Message] = [{"role": "user", "content": "open when?"}]


@pytest.fixture
def chat(tiny_checkpoint: Path) -> ChatFormat:
    return load_chat(tiny_checkpoint)


def pair(chosen: str | None, rejected: str | None) -> pl.DataFrame:
    row = {"conversation_id": "a", "reply_index": 1, "prompt": PROMPT, "chosen": chosen, "rejected": rejected}
    return to_pairs_frame("test", [{**row, "user_key": "u", "split": "train"}])


@pytest.mark.parametrize(("chosen", "rejected"), [("x" * 40, "no"), ("no", "x" * 40), (None, "x" * 40)])
def test_side_of_too_many_tokens_drops_the_pair(chat: ChatFormat, chosen: str | None, rejected: str | None) -> None:
    (longest,) = encode_answers(chat, PROMPT, ["x" * 40], 10_000)
    n_tokens = len(longest.input_ids)
    fits = drop_long_pairs(pair(chosen, rejected), chat, n_tokens)
    assert fits.select("keep", "reason").rows() == [(True, None)]
    long = drop_long_pairs(pair(chosen, rejected), chat, n_tokens - 1)
    reason = f"longer than train_assistant.max_length ({n_tokens - 1} tokens)"
    assert long.select("keep", "reason").rows() == [(False, reason)]


def test_older_messages_of_the_prompt_do_not_count(chat: ChatFormat) -> None:
    older: list[Message] = [
        {"role": "user", "content": "x" * 500},
        {"role": "assistant", "content": "y" * 500},
        *PROMPT,
    ]
    pairs = pair("at nine", "we sell bread").with_columns(prompt=pl.Series([older]))
    (short,) = encode_answers(chat, PROMPT, ["we sell bread"], 10_000)
    assert drop_long_pairs(pairs, chat, len(short.input_ids) + 5)["keep"].to_list() == [True]
