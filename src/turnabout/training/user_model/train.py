"""Training of the user model.

The user model is a language model of the users' turns of a log, and of where users end a conversation. Method: Naous et
al. 2025 (UserLM), §3, with one sequence per conversation instead of one per turn.
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
from turnabout.core.io import replace_when_done
from turnabout.errors import DataError
from turnabout.models.chat_format import END_OF_CONVERSATION, ChatFormat, EncodedChat
from turnabout.models.checkpoints import Checkpoint
from turnabout.models.logps import TokenBatch, compute_token_logps, pad_rows
from turnabout.training.engine.adapter import create_adapter
from turnabout.training.engine.distributed import is_first_process
from turnabout.training.engine.loop import summarize_history, train_model
from turnabout.training.engine.settings import Objective, RunContext, TrainingSettings, autocast
from turnabout.training.user_model.end_token import fit_end_token
from turnabout.training.user_model.packing import (
    PackedRow,
    build_packed_batch,
    check_packing,
    count_targets,
    pack_windows,
)
from turnabout.training.user_model.sampled_softmax import (
    renumber_tokens,
    restore_vocabulary,
    sample_absent_tokens,
    shrink_vocabulary,
)
from turnabout.training.user_model.windows import cut_windows, take_windows

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


#: Columns of the training curve.
CURVE = ["step", "loss", "learning_rate", "tokens"]


class TrainUser(Section):
    """Section `train_user` of `params.yaml`."""

    epochs: Count
    max_length: Count
    """Longest training sequence, in tokens; longer conversations are cut at message boundaries, intent kept."""
    max_tokens: Count | None
    """Number of training tokens per epoch; null uses every sample."""
    packing: bool
    """Several windows in one row of at most `max_length` tokens, each attending to itself alone; no padding."""
    lora_rank: Count | None
    """Rank of the LoRA adapter that is trained beside the new token's embedding; null trains every weight."""
    sampled_softmax: Count | None
    """Number of vocabulary tokens, drawn at each step, that stand for all tokens absent from the training text.

    Null computes the full softmax.
    """
    batch_size: Count
    """Rows in one step of all processes together: packed rows, or windows if `packing` is off."""
    learning_rate: Rate
    warmup: float = Field(ge=0, lt=1)
    """Share of the optimiser steps over which the learning rate rises."""
    gradient_checkpointing: bool
    """Recompute the layers' activations in the backward pass instead of storing them."""
    processes: Count
    """Processes of this machine that share each batch: one per GPU, or on the CPU with its threads divided."""

    @model_validator(mode="after")
    def _check_batch_size(self) -> "TrainUser":
        if self.batch_size % self.processes:
            raise ValueError(
                f"batch_size: {self.processes} processes cannot share {self.batch_size} rows evenly; "
                "make batch_size a multiple of processes"
            )
        return self


class TrainedUser(NamedTuple):
    """A trained user model, its history and the training's figures.

    The history has one row per step.
    """

    checkpoint: Checkpoint
    history: pl.DataFrame
    metrics: dict[str, Any]


def train_user(checkpoint: Checkpoint, samples: pl.DataFrame, *, options: TrainUser, run: RunContext) -> TrainedUser:
    """Train on the users' turns of the train split alone.

    `samples` are `schemas.USER_SAMPLES`. Every weight is trained, or with `lora_rank` an adapter and the new token,
    which are then merged into the model. Windows are shuffled by the seed and used up to `max_tokens`. With `packing` a
    row of the batch holds as many as fit into `max_length`, else one. With `sampled_softmax` the model has, until the
    last step, only the vocabulary of all windows and a sample of the other tokens (`sampled_softmax.py`). The last
    step, the fit of the end-of-conversation token, runs in the first process only. Raises `DataError` if there is no
    usable window.
    """
    checkpoint = add_end_token(checkpoint)
    samples = samples.filter(split="train").sort("conversation_id")
    windows, dropped = _draw_windows(checkpoint.chat, samples, options.max_length, run.seed)
    used = take_windows(windows, options.max_tokens)
    if len(used) < len(windows):
        dropped["window beyond max_tokens"] = len(windows) - len(used)

    end_token = checkpoint.chat.build_end_turn().ids[0]
    vocabulary, encoded = None, used
    if options.sampled_softmax is not None:
        vocabulary = shrink_vocabulary(checkpoint.model, windows, [end_token])
        encoded, end_token = renumber_tokens(used, vocabulary), vocabulary.kept_ids.index(end_token)
    n_vocabulary = len(vocabulary.kept_ids if vocabulary else checkpoint.tokenizer)
    rows, objective = _build_rows(checkpoint, encoded, options, run.seed)
    model: Any = checkpoint.model
    if options.lora_rank is not None:
        # The end token is trained beside the adapter, because the adapter alone could not learn it.
        model = create_adapter(checkpoint, options.lora_rank, run.seed, [end_token])
    n_parameters = _count_parameters(model)

    sampling: Any = nullcontext()
    if vocabulary is not None and options.sampled_softmax is not None:
        sampling = sample_absent_tokens(model, vocabulary, options.sampled_softmax)
    settings = _build_settings(options, run, n_vocabulary)
    with sampling:
        history = train_model(
            model, rows, objective, settings=settings, work=run.work, callbacks=run.callbacks, weight=count_targets
        )
    if options.lora_rank is not None:
        checkpoint = checkpoint._replace(model=model.merge_and_unload())
    if vocabulary is not None:
        restore_vocabulary(checkpoint.model, vocabulary)
    if is_first_process():
        with autocast(checkpoint.model, run.bf16):
            fit_end_token(checkpoint, windows)

    metrics = {
        "n_samples": samples.height,
        "n_windows": len(used),
        "n_rows": len(rows),
        "n_tokens": sum(len(window.input_ids) for window in used),
        "n_trained_tokens": int(history["tokens"][-1]),
        "n_target_tokens": sum(sum(window.is_target) for window in used),
        "n_parameters": n_parameters,
        "n_vocabulary": n_vocabulary,
        **summarize_history(history),
        "dropped_by_reason": dict(sorted(dropped.items())),
    }
    return TrainedUser(checkpoint, history, metrics)


def compute_user_loss(model: "PreTrainedModel", rows: Sequence[EncodedChat]) -> "tuple[Tensor, dict[str, float]]":
    """Return the mean −log P of a batch's targets, in nats, and metrics.

    The only metric is the number of tokens. Every target token counts the same, whichever conversation it is in.
    """
    return _compute_mean_loss(model, pad_rows(rows, model.device))


def compute_packed_user_loss(model: "PreTrainedModel", rows: Sequence[PackedRow]) -> "tuple[Tensor, dict[str, float]]":
    """Return the same as `compute_user_loss`, of packed rows."""
    return _compute_mean_loss(model, build_packed_batch(rows, model.device))


def _compute_mean_loss(model: "PreTrainedModel", batch: TokenBatch) -> "tuple[Tensor, dict[str, float]]":
    """Return the mean loss over the batch's targets, and metrics.

    The only metric is the number of tokens, without padding.
    """
    loss = -compute_token_logps(model, batch).sum() / batch.is_target[:, 1:].sum()
    return loss, {"tokens": float(batch.attention_mask.sum())}


def add_end_token(checkpoint: Checkpoint) -> Checkpoint:
    """Return the checkpoint with the end token in its vocabulary.

    A model that has the token already is returned unchanged. The token is not special, so that it survives decoding.
    Its embeddings are initialised as copies of the end-of-turn token's.
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
    """Write the model, in bfloat16, and its tokenizer to a folder.

    It is an ordinary Hugging Face folder, written completely or not at all.
    """
    import torch

    model: Any = checkpoint.model
    with replace_when_done(folder) as part:
        model.to(torch.bfloat16).save_pretrained(part)
        checkpoint.tokenizer.save_pretrained(part)


def _draw_windows(
    chat: ChatFormat, samples: pl.DataFrame, max_length: int, seed: int
) -> tuple[list[EncodedChat], Counter[str]]:
    """Return all training windows in random order, and drop counts.

    The order is drawn by the seed; the counts are of dropped parts, by reason.
    """
    windows, dropped = cut_windows(chat, samples, max_length)
    if not windows:
        raise DataError(
            f"train_user: none of {samples.height} training conversations has a user turn to learn ({dict(dropped)}); "
            f"raise train_user.max_length ({max_length}) and give more conversations (intend.conversations, or "
            "ablate.conversations)"
        )
    random.Random(seed).shuffle(windows)
    return windows, dropped


def _build_rows(
    checkpoint: Checkpoint, windows: Sequence[EncodedChat], options: TrainUser, seed: int
) -> tuple[Sequence[EncodedChat | PackedRow], Objective]:
    """Return the rows of the training and their objective.

    Raises `ModelError` if the windows are to be packed and the model cannot keep them apart.
    """
    if not options.packing:
        return windows, compute_user_loss
    check_packing(checkpoint.model, windows)
    return pack_windows(windows, options.max_length, seed), compute_packed_user_loss


def _build_settings(options: TrainUser, run: RunContext, n_vocabulary: int) -> TrainingSettings:
    """Return the settings of the training."""
    vocabulary = f"vocabulary {n_vocabulary} sample {options.sampled_softmax}"
    return TrainingSettings(
        learning_rate=options.learning_rate,
        epochs=options.epochs,
        batch_size=options.batch_size,
        seed=run.seed,
        bf16=run.bf16,
        start=f"{run.start} rank {options.lora_rank} {vocabulary}",
        warmup=options.warmup,
        gradient_checkpointing=options.gradient_checkpointing,
    )


def _count_parameters(model: Any) -> dict[str, int]:
    """Return the numbers of trainable and of all parameters."""
    trained = [weight.numel() for weight in model.parameters() if weight.requires_grad]
    return {"trained": sum(trained), "total": sum(weight.numel() for weight in model.parameters())}
