"""One reading of both replies of every pair by the policy before training: what the measures are worked out from."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from turnabout.models.chat_format import Encoded
from turnabout.models.checkpoints import Checkpoint
from turnabout.models.logps import pad, token_logps

if TYPE_CHECKING:
    from torch import Tensor

#: Most tokens of one batch, padding included, from its second pair on.
MAX_TOKENS = 16_384

#: Most tokens of a reply that are read: every one has a score for each word of the vocabulary.
MAX_REPLY = 2048

Floats = NDArray[np.float32]


class Readings(NamedTuple):
    """What the policy makes of N pairs. S⁺ is the mean hidden state of the chosen reply, S⁻ that of the rejected one.

    The mean is over the last layer from the prompt's last token to the reply's last but one: the states that the
    reply's tokens are predicted from.
    """

    logp_chosen: Floats
    """Summed over the reply's tokens and its end of turn, in nats; shape (N,) as all but the last."""
    logp_rejected: Floats
    between: Floats
    """⟨S⁺, S⁻⟩."""
    of_chosen: Floats
    """‖S⁺‖²."""
    of_rejected: Floats
    """‖S⁻‖²."""
    difference: Floats
    """The state at the chosen reply's end of turn minus that at the rejected one's, shape (N, hidden)."""


def readings(policy: Checkpoint, pairs: pl.DataFrame, batch_size: int) -> Readings:
    """Those of comparable pairs, row for row; `batch_size` counts replies. Every reply is read once.

    A logged reply may have any length: of one longer than `MAX_REPLY` tokens, the beginning is read.
    """
    import torch
    from tqdm import tqdm

    rows = [_encoded(policy, pair) for pair in pairs.select("prompt", "chosen", "rejected").iter_rows(named=True)]
    read: dict[int, list[Floats]] = {}
    with torch.inference_mode(), tqdm(total=len(rows), disable=None, unit="pair", desc="quality") as bar:
        for batch in _batches(rows, max(1, batch_size // 2)):
            parts = [part.float().cpu().numpy() for part in _batch(policy, [rows[i] for i in batch])]
            read |= {i: [part[row] for part in parts] for row, i in enumerate(batch)}
            bar.update(len(batch))
    return Readings(*(np.stack(part) for part in zip(*(read[i] for i in range(len(rows))), strict=True)))


def swapped(read: Readings, where: NDArray[np.bool_]) -> Readings:
    """The readings with both sides of the pairs of `where` exchanged, as flipped labels need them."""
    return Readings(
        np.where(where, read.logp_rejected, read.logp_chosen),
        np.where(where, read.logp_chosen, read.logp_rejected),
        read.between,
        np.where(where, read.of_rejected, read.of_chosen),
        np.where(where, read.of_chosen, read.of_rejected),
        np.where(where[:, None], -read.difference, read.difference),
    )


class _Row(NamedTuple):
    chosen: Encoded
    rejected: Encoded

    @property
    def length(self) -> int:
        return max(len(self.chosen.input_ids), len(self.rejected.input_ids))


def _encoded(policy: Checkpoint, pair: dict) -> _Row:
    before = policy.chat.prompt_ids(pair["prompt"], "assistant")
    replies = (policy.chat.completion_ids(pair[side])[:MAX_REPLY] for side in ("chosen", "rejected"))
    return _Row(*(Encoded(before + ids, [False] * len(before) + [True] * len(ids)) for ids in replies))


def _batches(rows: Sequence[_Row], most: int) -> Iterator[list[int]]:
    """Indexes of pairs of like length, at most `most` and about `MAX_TOKENS` tokens together."""
    batch: list[int] = []
    for i in sorted(range(len(rows)), key=lambda i: (rows[i].length, i)):
        if batch and (len(batch) == most or 2 * (len(batch) + 1) * rows[i].length > MAX_TOKENS):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _batch(policy: Checkpoint, rows: Sequence[_Row]) -> "tuple[Tensor, ...]":
    """The parts of `Readings` for a few pairs. Hidden states are those in front of the vocabulary projection."""
    import torch

    seen: list[Tensor] = []
    batch = pad([row.chosen for row in rows] + [row.rejected for row in rows], policy.model.device)
    hook = policy.model.get_output_embeddings().register_forward_pre_hook(lambda _, hidden: seen.append(hidden[0]))
    try:
        logps = token_logps(policy.model, batch).sum(dim=1)
    finally:
        hook.remove()
    states = seen[0].float()
    predicts = batch.is_target[:, 1:].unsqueeze(-1)  # position t − 1 predicts target t; padding is no target
    means = (states[:, :-1] * predicts).sum(dim=1) / predicts.sum(dim=1)
    ends = states[torch.arange(len(states), device=states.device), batch.attention_mask.sum(dim=1) - 1]
    (chosen, rejected), (end, other_end) = means.chunk(2), ends.chunk(2)
    products = ((chosen * rejected).sum(dim=1), (chosen**2).sum(dim=1), (rejected**2).sum(dim=1))
    return (*logps.chunk(2), *products, end - other_end)
