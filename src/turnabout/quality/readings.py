"""The policy's reading of every pair, and the filters by its measures.

Each reply is read once; the columns of `Readings` give ranking difficulty, CHES and the features of strength.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from turnabout.core.config import Section
from turnabout.models.chat_format import EncodedChat
from turnabout.models.checkpoints import Checkpoint
from turnabout.models.logps import compute_token_logps, pad_rows
from turnabout.quality.base import FilterContext, drop_pairs, is_comparable

if TYPE_CHECKING:
    from torch import Tensor

#: Maximum number of tokens of one batch, padding included, from its second pair on.
MAX_TOKENS = 16_384

#: Maximum number of tokens of a reply that are read: each needs a logit for every token of the vocabulary.
MAX_REPLY = 2048

#: c = log π(rejected) − log π(chosen), in nats, over all tokens; above 0 the policy ranks the pair wrongly.
#: As long as the DPO loss of a pair is above −log σ(β·c), it is ranked wrongly, and few of the pairs that begin so ever
#: change (Chen et al. 2024, arXiv 2405.19534).
RANKING_DIFFICULTY = pl.col("logp_rejected") - pl.col("logp_chosen")

#: ⟨S⁺, S⁻⟩ − ‖S⁺‖², S the mean over a reply's hidden states, padding left out; the higher, the more alike the replies.
#: It is the paper's length-normalised CHES, ⟨Σ⁺, Σ⁻⟩/(n⁺n⁻) − ‖Σ⁺‖²/(n⁺)² for sums over n states. Training on pairs
#: that the policy finds alike lowers the likelihood of the chosen reply together with that of the rejected one
#: (likelihood displacement; Razin et al. 2024, arXiv 2410.08847).
LENGTH_NORMALISED_CHES = pl.col("dot_product") - pl.col("sq_norm_chosen")

#: Columns of `Readings` that change places when a pair's sides do.
SWAPPED_READINGS = {
    "logp_chosen": "logp_rejected",
    "logp_rejected": "logp_chosen",
    "sq_norm_chosen": "sq_norm_rejected",
    "sq_norm_rejected": "sq_norm_chosen",
}

Floats = NDArray[np.float32]


class TopShare(Section):
    """The share of training pairs with the highest measure, which is dropped."""

    drop_top: Annotated[float, Field(ge=0, lt=1)]
    """0 fills the measure's column and drops nothing."""


class Readings(NamedTuple):
    """What the policy computes from N pairs; each field becomes a column.

    S⁺ is the mean hidden state of the chosen reply, S⁻ that of the rejected one. The mean is over the last layer from
    the prompt's last token to the reply's last but one: the states that the reply's tokens are predicted from.
    """

    logp_chosen: Floats
    """Log-probability summed over the reply's tokens and its end of turn, in nats; shape (N,) like all but the last."""
    logp_rejected: Floats
    dot_product: Floats
    """⟨S⁺, S⁻⟩."""
    sq_norm_chosen: Floats
    """‖S⁺‖²."""
    sq_norm_rejected: Floats
    """‖S⁻‖²."""
    end_difference: Floats
    """The state at the chosen reply's end of turn minus that at the rejected one's, shape (N, hidden)."""


def drop_most_difficult(pairs: pl.DataFrame, share: TopShare, _context: FilterContext) -> pl.DataFrame:
    """Fill `difficulty` and drop the training pairs with the highest one."""
    measured = pairs.with_columns(difficulty=RANKING_DIFFICULTY.cast(pl.Float64))
    return _drop_highest(measured, "difficulty", share, "too difficult")


def drop_most_alike(pairs: pl.DataFrame, share: TopShare, _context: FilterContext) -> pl.DataFrame:
    """Fill `ches` and drop the training pairs with the highest one."""
    measured = pairs.with_columns(ches=LENGTH_NORMALISED_CHES.cast(pl.Float64))
    return _drop_highest(measured, "ches", share, "replies too alike (CHES)")


def _drop_highest(pairs: pl.DataFrame, column: str, share: TopShare, reason: str) -> pl.DataFrame:
    """Drop the share of kept training pairs whose `column` is highest.

    The number is rounded down; ties are ranked by id. Pairs of validation users stay: a model's opinion must not choose
    what models are measured on.
    """
    ranked = pairs.filter(is_comparable(), pl.col(column).is_not_null(), split="train")
    ranked = ranked.sort(column, "pair_id", descending=[True, False])
    highest = ranked.head(int(share.drop_top * ranked.height))["pair_id"]
    return drop_pairs(pairs, pl.col("pair_id").is_in(highest.implode()), reason)


def add_readings(pairs: pl.DataFrame, policy: Checkpoint, batch_size: int) -> pl.DataFrame:
    """Return the pairs with the columns of `Readings`.

    They are null for pairs that are not comparable. The comparable pairs come last.
    """
    comparable = pairs.filter(is_comparable())
    readings = read_pairs(policy, comparable, batch_size)
    read = comparable.with_columns(pl.Series(name, values) for name, values in readings._asdict().items())
    return pl.concat([pairs.filter(~is_comparable()), read], how="diagonal")


def read_pairs(policy: Checkpoint, pairs: pl.DataFrame, batch_size: int) -> Readings:
    """Return the readings of comparable pairs, row for row.

    `batch_size` counts replies. Every reply is read once. A logged reply may have any length: of one longer than
    `MAX_REPLY` tokens, the beginning is read. There must be at least one pair.
    """
    import torch
    from tqdm import tqdm

    rows = [_encode_pair(policy, pair) for pair in pairs.select("prompt", "chosen", "rejected").iter_rows(named=True)]
    order: list[int] = []
    parts: list[Readings] = []
    with torch.inference_mode(), tqdm(total=len(rows), disable=None, unit="pair", desc="quality") as progress:
        for indexes in _batch_pairs(rows, max(1, batch_size // 2)):
            parts.append(_read_batch(policy, [rows[i] for i in indexes]))
            order.extend(indexes)
            progress.update(len(indexes))
    position = np.argsort(order)  # of each row among the batches
    columns: dict[str, Floats] = {}
    for name in Readings._fields:
        columns[name] = np.concatenate([getattr(part, name) for part in parts])[position]
    return Readings(**columns)


class _EncodedPair(NamedTuple):
    chosen: EncodedChat
    rejected: EncodedChat

    @property
    def n_tokens(self) -> int:
        """Number of tokens of the longer side with its prompt."""
        return max(len(self.chosen.input_ids), len(self.rejected.input_ids))


def _encode_pair(policy: Checkpoint, pair: Mapping[str, Any]) -> _EncodedPair:
    prompt_ids = policy.chat.encode_prompt(pair["prompt"], "assistant")

    def encode_side(reply: str) -> EncodedChat:
        ids = policy.chat.encode_completion(reply)[:MAX_REPLY]
        return EncodedChat(prompt_ids + ids, [False] * len(prompt_ids) + [True] * len(ids))

    return _EncodedPair(encode_side(pair["chosen"]), encode_side(pair["rejected"]))


def _batch_pairs(rows: Sequence[_EncodedPair], max_pairs: int) -> Iterator[list[int]]:
    """Yield the indexes of pairs of similar length.

    A batch has at most `max_pairs` pairs and about `MAX_TOKENS` tokens.
    """
    batch: list[int] = []
    for i in sorted(range(len(rows)), key=lambda i: (rows[i].n_tokens, i)):
        if batch and (len(batch) == max_pairs or 2 * (len(batch) + 1) * rows[i].n_tokens > MAX_TOKENS):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _read_batch(policy: Checkpoint, rows: Sequence[_EncodedPair]) -> Readings:
    """Return the readings of one batch.

    The hidden states are those in front of the vocabulary projection.
    """
    import torch

    captured: list[Tensor] = []
    batch = pad_rows([row.chosen for row in rows] + [row.rejected for row in rows], policy.model.device)
    projection = policy.model.get_output_embeddings()
    hook = projection.register_forward_pre_hook(lambda _, hidden: captured.append(hidden[0]))
    try:
        logps = compute_token_logps(policy.model, batch).sum(dim=1)
    finally:
        hook.remove()
    states = captured[0].float()
    predicts = batch.is_target[:, 1:].unsqueeze(-1)  # position t − 1 predicts target t; padding is no target
    means = (states[:, :-1] * predicts).sum(dim=1) / predicts.sum(dim=1)
    ends = states[torch.arange(len(states), device=states.device), batch.attention_mask.sum(dim=1) - 1]
    logp_chosen, logp_rejected = logps.chunk(2)
    mean_chosen, mean_rejected = means.chunk(2)
    end_chosen, end_rejected = ends.chunk(2)
    return Readings(
        logp_chosen=_to_numpy(logp_chosen),
        logp_rejected=_to_numpy(logp_rejected),
        dot_product=_to_numpy((mean_chosen * mean_rejected).sum(dim=1)),
        sq_norm_chosen=_to_numpy((mean_chosen**2).sum(dim=1)),
        sq_norm_rejected=_to_numpy((mean_rejected**2).sum(dim=1)),
        end_difference=_to_numpy(end_chosen - end_rejected),
    )


def _to_numpy(values: "Tensor") -> Floats:
    numbers: Floats = values.float().cpu().numpy()
    return numbers
