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
from pydantic import Field, model_validator

from turnabout.core.config import Count, Rate, Section
from turnabout.core.io import replacing
from turnabout.errors import DataError
from turnabout.models.chat_format import END_OF_CONVERSATION, ChatFormat, Encoded
from turnabout.models.checkpoints import Checkpoint
from turnabout.models.logps import TokenBatch, pad, token_logps
from turnabout.training.engine.adapter import new_adapter
from turnabout.training.engine.cost import cost
from turnabout.training.engine.distributed import is_first
from turnabout.training.engine.loop import Objective, Settings, autocast, summary, train
from turnabout.training.user_model.end_token import fit_end_row
from turnabout.training.user_model.packing import Packed, check_packing, n_targets, pack, packed_batch
from turnabout.training.user_model.sampled_softmax import narrow, others_sampled, renumbered, widen
from turnabout.training.user_model.windows import windows, within

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, TrainerCallback


#: Columns of the curve.
CURVE = ["step", "loss", "learning_rate", "tokens", "tokens_per_second"]


class TrainUser(Section):
    epochs: Count
    max_length: Count
    """Longest training sequence, in tokens; longer conversations are cut at message boundaries, intent kept."""
    max_tokens: Count | None
    """Training stops after this many tokens of one epoch; null uses every sample."""
    packing: bool
    """Several windows in one row of at most `max_length` tokens, each seeing itself alone; no padding is computed."""
    lora_rank: Count | None
    """Rank of the LoRA adapter that is trained beside the new token's embedding; null trains every weight."""
    sampled_softmax: Count | None
    """Words that stand, while training, for all that the training text lacks, drawn at each step; null has them all."""
    batch_size: Count
    """Rows in one step of all processes together: packed ones, or windows where `packing` is off."""
    learning_rate: Rate
    warmup: float = Field(ge=0, lt=1)
    """Share of the optimiser steps over which the learning rate rises."""
    gradient_checkpointing: bool
    """Compute the layers once more for their gradient instead of keeping what they gave."""
    processes: Count
    """Processes of this machine that share each batch: one per GPU, or on the CPU with its threads divided."""

    @model_validator(mode="after")
    def _processes_share_a_batch_evenly(self) -> "TrainUser":
        if self.batch_size % self.processes:
            raise ValueError(
                f"batch_size: {self.processes} processes cannot share {self.batch_size} rows evenly; "
                "make batch_size a multiple of processes"
            )
        return self


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
    a sample of so many other words (`sampled_softmax.py`). That step, the row of leaving, is the first process's alone.
    Raises `DataError` where no window can be used.
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
