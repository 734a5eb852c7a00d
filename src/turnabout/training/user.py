"""The user model: a language model taught to write the people's turns of a log, and to leave when they left.

Method: Naous et al. 2025 (UserLM), §3, with one sequence per conversation instead of one per turn.
"""

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from turnabout.backbones import Checkpoint
from turnabout.chat_format import END_OF_CONVERSATION, ChatFormat, Encoded
from turnabout.errors import DataError
from turnabout.io import replacing
from turnabout.logps import pad, token_logps
from turnabout.training.loop import Settings, summary, train
from turnabout.training.windows import windows

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, TrainerCallback


class TrainedUser(NamedTuple):
    """A trained user model, one row per step, and the figures of its training."""

    checkpoint: Checkpoint
    history: pl.DataFrame
    metrics: dict[str, Any]


def train_user(
    checkpoint: Checkpoint,
    samples: pl.DataFrame,
    max_length: int,
    max_tokens: int | None,
    settings: Settings,
    work: Path,
    callbacks: "Sequence[TrainerCallback]" = (),
) -> TrainedUser:
    """Train every weight on the users' turns of the train split (`schemas.USER_SAMPLES`), and on nothing else.

    Rows are shuffled by the seed and used up to `max_tokens`. Raises `DataError` where none can be used.
    """
    checkpoint = with_end_token(checkpoint)
    samples = samples.filter(split="train").sort("conversation_id")
    rows, dropped = _rows(checkpoint.chat, samples, max_length)
    random.Random(settings.seed).shuffle(rows)
    used = _within(rows, max_tokens)
    if not used:
        raise DataError(
            f"train_user: none of {samples.height} training conversations has a user turn to learn ({dict(dropped)}); "
            f"raise train_user.max_length ({max_length}) and flip more conversations (intend.conversations)"
        )
    if len(used) < len(rows):
        dropped["window beyond max_tokens"] = len(rows) - len(used)
    history = train(checkpoint.model, used, user_loss, settings, work, callbacks)
    metrics = {
        "n_samples": samples.height,
        "n_windows": len(used),
        "n_tokens": sum(len(row.input_ids) for row in used),
        "n_target_tokens": sum(sum(row.is_target) for row in used),
        **summary(history),
        "dropped_by_reason": dict(sorted(dropped.items())),
    }
    return TrainedUser(checkpoint, history, metrics)


def user_loss(model: "PreTrainedModel", rows: Sequence[Encoded]) -> "tuple[Tensor, dict[str, float]]":
    """Mean −log P over the target tokens of a batch, in nats: every token counts the same, whoever's turn it is in."""
    batch = pad(rows, model.device)
    loss = -token_logps(model, batch).sum() / batch.is_target[:, 1:].sum()
    return loss, {"tokens": float(batch.attention_mask.sum())}


def with_end_token(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with the end-of-conversation token in its vocabulary; a model that knows it already is unchanged.

    The token is not special, so that it survives decoding. Its rows begin as copies of the end-of-turn token's.
    """
    if checkpoint.chat.end_of_conversation_id is not None:
        return checkpoint
    model: Any = checkpoint.model
    tokenizer = checkpoint.tokenizer
    tokenizer.add_tokens([END_OF_CONVERSATION], special_tokens=False)
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    chat = ChatFormat.from_tokenizer(tokenizer)
    for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
        layer.weight.data[chat.end_of_conversation_id] = layer.weight.data[chat.end_of_turn_id]
    return checkpoint._replace(chat=chat)


def save_user(checkpoint: Checkpoint, folder: Path) -> None:
    """Write the model in bfloat16 and its tokenizer as a plain Hugging Face folder, whole or not at all."""
    import torch

    model: Any = checkpoint.model
    with replacing(folder) as part:
        model.to(torch.bfloat16).save_pretrained(part)
        checkpoint.tokenizer.save_pretrained(part)


def _rows(chat: ChatFormat, samples: pl.DataFrame, max_length: int) -> tuple[list[Encoded], Counter[str]]:
    """The windows of every sample, and how many parts were left out for each reason."""
    rows: list[Encoded] = []
    dropped: Counter[str] = Counter()
    for sample in samples.iter_rows(named=True):
        found, reasons = windows(chat, sample, max_length)
        rows += found
        dropped.update(reasons)
    return rows, dropped


def _within(rows: Sequence[Encoded], max_tokens: int | None) -> list[Encoded]:
    """The first rows that together stay within `max_tokens`; at least one."""
    used: list[Encoded] = []
    spent = 0
    for row in rows:
        spent += len(row.input_ids)
        if used and max_tokens is not None and spent > max_tokens:
            break
        used.append(row)
    return used
