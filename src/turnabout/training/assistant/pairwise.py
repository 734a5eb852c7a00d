"""Pairs of completions as training rows: what a loss on pairs learns from."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from turnabout.losses import PairLogps, PairLoss
from turnabout.models.chat_format import ChatFormat, Encoded
from turnabout.models.logps import answers, pad, token_logps
from turnabout.training.engine.loop import Objective

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


class PairRow(NamedTuple):
    """One pair as tokens, with the weight of its loss and the frozen policy's log-probabilities of both completions.

    `p_win` is how likely the chosen completion really is the better one.
    """

    chosen: Encoded
    rejected: Encoded
    weight: float
    p_win: float = 1.0
    reference_chosen: float = 0.0
    reference_rejected: float = 0.0

    def knowing(self, first: float, second: float) -> "PairRow":
        """The row with its reference's log-probabilities."""
        return self._replace(reference_chosen=first, reference_rejected=second)

    def certain(self) -> "PairRow":
        """The row as if its label were beyond doubt."""
        return self._replace(p_win=1.0)


def encode_pairs(chat: ChatFormat, pairs: pl.DataFrame, max_length: int) -> tuple[list[PairRow], Counter[str]]:
    """The kept training pairs as rows, by `pair_id`, and how many were left out for each reason."""
    rows: list[PairRow] = []
    dropped: Counter[str] = Counter()
    for pair in pairs.filter(pl.col("keep"), split="train").sort("pair_id").iter_rows(named=True):
        if pair["chosen"] is None or pair["rejected"] is None:
            dropped["one reply alone"] += 1
            continue
        chosen, rejected = both_sides(chat, pair, max_length)
        if not pair["chosen"].strip() or not pair["rejected"].strip():
            dropped["empty completion"] += 1
        elif chosen == rejected:
            dropped["chosen equals rejected"] += 1
        elif max(len(chosen.input_ids), len(rejected.input_ids)) > max_length:
            dropped["longer than max_length"] += 1
        else:
            rows.append(PairRow(chosen, rejected, pair["weight"], 1.0 if pair["p_win"] is None else pair["p_win"]))
    return rows, dropped


def both_sides(chat: ChatFormat, pair: dict[str, Any], max_length: int) -> list[Encoded]:
    """Chosen and rejected after the same prompt, cut from the left at a message boundary; or each after its own."""
    if pair["rejected_prompt"] is None:
        return answers(chat, pair["prompt"], [pair["chosen"], pair["rejected"]], max_length)
    alone = (pair["prompt"], pair["chosen"]), (pair["rejected_prompt"], pair["rejected"])
    return [answers(chat, prompt, [completion], max_length)[0] for prompt, completion in alone]


def pair_logps(model: "PreTrainedModel", rows: Sequence[PairRow]) -> PairLogps:
    """Log-probabilities of both completions of B pairs, in one forward pass over 2B sequences."""
    batch = pad([row.chosen for row in rows] + [row.rejected for row in rows], model.device)
    chosen, rejected = token_logps(model, batch).sum(dim=1).chunk(2)
    chosen_tokens, rejected_tokens = batch.is_target.sum(dim=1).chunk(2)
    return PairLogps(chosen, rejected, chosen_tokens, rejected_tokens)


def pair_objective(loss: PairLoss) -> Objective:
    """The weighted mean loss of a batch of pairs, and what its implicit rewards say (accuracy, margin, each reward).

    A pair whose label is uncertain has the loss to be expected: that of either order by how likely it is. Of DPO this
    makes conservative DPO (Mitchell 2023), with a share of flipped labels for each pair.
    """

    def objective(model: "PreTrainedModel", rows: Sequence[PairRow]) -> "tuple[Tensor, dict[str, float]]":
        policy = pair_logps(model, rows)
        like = policy.chosen.new_tensor
        reference = policy._replace(
            chosen=like([row.reference_chosen for row in rows]), rejected=like([row.reference_rejected for row in rows])
        )
        p_win = like([row.p_win for row in rows])
        losses = p_win * loss(policy, reference) + (1 - p_win) * loss(turned(policy), turned(reference))
        value = (like([row.weight for row in rows]) * losses).mean()
        chosen, rejected = (reward.detach() for reward in loss.rewards(policy, reference))
        return value, {
            "tokens": float(sum(len(row.chosen.input_ids) + len(row.rejected.input_ids) for row in rows)),
            "accuracy": (chosen > rejected).float().mean().item(),
            "margin": (chosen - rejected).mean().item(),
            "chosen_reward": chosen.mean().item(),
            "rejected_reward": rejected.mean().item(),
        }

    return objective


def turned(logps: PairLogps) -> PairLogps:
    """The same pairs with the other completion as the chosen one."""
    return PairLogps(logps.rejected, logps.chosen, logps.rejected_tokens, logps.chosen_tokens)
