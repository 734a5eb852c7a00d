"""The user model: a language model taught to write the people's turns of a log, and to leave when they left.

Method: Naous et al. 2025 (UserLM), §3, with one sequence per conversation instead of one per turn.
"""

import random
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from turnabout.backbones import Checkpoint
from turnabout.chat_format import END_OF_CONVERSATION, ChatFormat, Encoded
from turnabout.errors import DataError
from turnabout.io import replacing
from turnabout.logps import TokenBatch, pad, token_logps
from turnabout.training.adapter import new_adapter
from turnabout.training.cost import cost
from turnabout.training.leaving import fit_end_row
from turnabout.training.loop import Objective, Settings, autocast, summary, train
from turnabout.training.packing import Packed, check_packing, n_targets, pack, packed_batch
from turnabout.training.sharing import is_first
from turnabout.training.vocabulary import narrow, others_sampled, renumbered, widen
from turnabout.training.windows import windows, within

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, TrainerCallback


#: Columns of the curve.
CURVE = ["step", "loss", "learning_rate", "tokens", "tokens_per_second"]


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
    packing: bool = True,
    lora_rank: int | None = None,
    sampled_softmax: int | None = None,
) -> TrainedUser:
    """Train on the users' turns of the train split (`schemas.USER_SAMPLES`), and on nothing else.

    Every weight is trained, or with `lora_rank` an adapter and the new token, which are then merged into the model.
    Windows are shuffled by the seed and used up to `max_tokens`; with `packing` a row of the batch holds as many as fit
    into `max_length`, else one. With `sampled_softmax` the vocabulary is, until the last step, that of all windows and
    a sample of so many other words (`training/vocabulary.py`). That step, the row of leaving, is the first process's
    alone. Raises `DataError` where no window can be used.
    """
    checkpoint = with_end_token(checkpoint)
    samples = samples.filter(split="train").sort("conversation_id")
    found, dropped = _drawn_windows(checkpoint.chat, samples, max_length, settings.seed)
    used = within(found, max_tokens)
    if len(used) < len(found):
        dropped["window beyond max_tokens"] = len(found) - len(used)
    token = checkpoint.chat.leaving().ids[0]
    read = used
    narrowed = narrow(checkpoint.model, found, [token]) if sampled_softmax is not None else None
    if narrowed is not None:
        read, token = renumbered(used, narrowed), narrowed.ids.index(token)
    rows, objective = _packed(checkpoint, read, max_length, settings.seed) if packing else (read, user_loss)
    n_words = len(narrowed.ids if narrowed else checkpoint.tokenizer)
    settings = settings._replace(start=f"{settings.start} rank {lora_rank} words {n_words} and {sampled_softmax}")
    # The new token is trained beside an adapter, without which it could not be learnt.
    model: Any = checkpoint.model if lora_rank is None else new_adapter(checkpoint, lora_rank, settings.seed, [token])
    weights = _counted(model)
    with others_sampled(model, narrowed, sampled_softmax) if narrowed and sampled_softmax else nullcontext():
        history = train(model, rows, objective, settings, work, callbacks, n_targets)
    if lora_rank is not None:
        checkpoint = checkpoint._replace(model=model.merge_and_unload())
    if narrowed is not None:
        widen(checkpoint.model, narrowed)
    history = history.with_columns(
        tokens_per_second=pl.col("tokens").diff().fill_null(pl.col("tokens")) / pl.col("seconds")
    )
    if is_first():
        with autocast(checkpoint.model, settings.bf16):
            fit_end_row(checkpoint, found)
    metrics = {
        "n_samples": samples.height,
        "n_windows": len(used),
        "n_rows": len(rows),
        "n_tokens": sum(len(window.input_ids) for window in used),
        "n_target_tokens": sum(sum(window.is_target) for window in used),
        "n_parameters": weights,
        "n_words": n_words,
        **summary(history),
        "cost": cost(history),
        "dropped_by_reason": dict(sorted(dropped.items())),
    }
    return TrainedUser(checkpoint, history, metrics)


def user_loss(model: "PreTrainedModel", rows: Sequence[Encoded]) -> "tuple[Tensor, dict[str, float]]":
    """Mean −log P over the target tokens of a batch, in nats: every token counts the same, whosever turn it is in."""
    return _mean_loss(model, pad(rows, model.device))


def packed_user_loss(model: "PreTrainedModel", rows: Sequence[Packed]) -> "tuple[Tensor, dict[str, float]]":
    """The same of packed rows."""
    return _mean_loss(model, packed_batch(rows, model.device))


def _mean_loss(model: "PreTrainedModel", batch: TokenBatch) -> "tuple[Tensor, dict[str, float]]":
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


def _drawn_windows(
    chat: ChatFormat, samples: pl.DataFrame, max_length: int, seed: int
) -> tuple[list[Encoded], Counter[str]]:
    """All windows there are to learn from, in an order drawn by the seed; how many parts were left out, by reason."""
    found, dropped = windows(chat, samples, max_length)
    if not found:
        raise DataError(
            f"train_user: none of {samples.height} training conversations has a user turn to learn ({dict(dropped)}); "
            f"raise train_user.max_length ({max_length}) and give more conversations (intend.conversations, or "
            "ablate.conversations)"
        )
    random.Random(seed).shuffle(found)
    return found, dropped


def _packed(
    checkpoint: Checkpoint, used: Sequence[Encoded], max_length: int, seed: int
) -> tuple[list[Packed], Objective]:
    """The windows in rows and their loss. Raises `ModelError` where the model cannot keep them apart."""
    check_packing(checkpoint.model, used)
    return pack(used, max_length, seed), packed_user_loss


def _counted(model: Any) -> dict[str, int]:
    """The weights that are trained, and all that are there meanwhile."""
    sizes = [(weight.numel(), weight.requires_grad) for weight in model.parameters()]
    return {"trained": sum(size for size, trains in sizes if trains), "total": sum(size for size, _ in sizes)}
