"""Training rows and objective of losses on pairs of completions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from turnabout.losses import PairLogps, PairLoss
from turnabout.models.chat_format import ChatFormat, EncodedChat
from turnabout.models.logps import compute_token_logps, encode_answers, pad_rows
from turnabout.training.assistant.rows import PreferenceRow, compute_expected_loss
from turnabout.training.engine.settings import Objective

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True, kw_only=True)
class PairRow(PreferenceRow):
    """One pair as tokens, with the label that chosen is better."""

    chosen: EncodedChat
    rejected: EncodedChat


def encode_pairs(chat: ChatFormat, pairs: pl.DataFrame, max_length: int) -> tuple[list[PairRow], Counter[str]]:
    """Return the kept training pairs as rows, and drop counts by reason.

    The rows are in the order of `pair_id`.
    """
    rows: list[PairRow] = []
    dropped: Counter[str] = Counter()
    for pair in pairs.filter(pl.col("keep"), split="train").sort("pair_id").iter_rows(named=True):
        if pair["chosen"] is None or pair["rejected"] is None:
            dropped["one reply alone"] += 1
            continue
        chosen, rejected = encode_both_sides(chat, pair, max_length)
        if not pair["chosen"].strip() or not pair["rejected"].strip():
            dropped["empty completion"] += 1
        elif chosen == rejected:
            dropped["chosen equals rejected"] += 1
        elif max(len(chosen.input_ids), len(rejected.input_ids)) > max_length:
            dropped["longer than max_length"] += 1
        else:
            p_label = 1.0 if pair["p_win"] is None else pair["p_win"]
            rows.append(PairRow(chosen=chosen, rejected=rejected, weight=pair["weight"], p_label=p_label))
    return rows, dropped


def encode_both_sides(chat: ChatFormat, pair: dict[str, Any], max_length: int) -> list[EncodedChat]:
    """Return chosen and rejected as tokens, each after its prompt.

    A prompt is cut from the left at a message boundary. Both follow the same prompt unless the pair has a
    `rejected_prompt`.
    """
    if pair["rejected_prompt"] is None:
        return encode_answers(chat, pair["prompt"], [pair["chosen"], pair["rejected"]], max_length)
    (chosen,) = encode_answers(chat, pair["prompt"], [pair["chosen"]], max_length)
    (rejected,) = encode_answers(chat, pair["rejected_prompt"], [pair["rejected"]], max_length)
    return [chosen, rejected]


def compute_pair_logps(model: "PreTrainedModel", rows: Sequence[PairRow]) -> PairLogps:
    """Return the log-probabilities of B pairs.

    It takes one forward pass over 2B sequences.
    """
    batch = pad_rows([row.chosen for row in rows] + [row.rejected for row in rows], model.device)
    chosen, rejected = compute_token_logps(model, batch).sum(dim=1).chunk(2)
    chosen_tokens, rejected_tokens = batch.is_target.sum(dim=1).chunk(2)
    return PairLogps(chosen=chosen, rejected=rejected, chosen_tokens=chosen_tokens, rejected_tokens=rejected_tokens)


def build_pair_objective(loss: PairLoss) -> Objective:
    """Return the objective of pairs: the weighted mean loss of a batch.

    Its metrics describe the implicit rewards: accuracy, margin, and the mean reward of each side. A pair with an
    uncertain label gets the expected loss over both orders. For DPO this is conservative DPO (Mitchell 2023), with a
    rate of flipped labels for each pair.
    """

    def objective(model: "PreTrainedModel", rows: Sequence[PairRow]) -> "tuple[Tensor, dict[str, float]]":
        policy = compute_pair_logps(model, rows)
        first, second = policy.chosen.new_tensor([row.reference_logps for row in rows]).unbind(dim=1)
        reference = policy._replace(chosen=first, rejected=second)
        as_labelled, flipped = loss(policy, reference), loss(swap_sides(policy), swap_sides(reference))
        chosen, rejected = (reward.detach() for reward in loss.compute_rewards(policy, reference))
        return compute_expected_loss(rows, as_labelled, flipped), {
            "tokens": float(sum(len(row.chosen.input_ids) + len(row.rejected.input_ids) for row in rows)),
            "accuracy": (chosen > rejected).float().mean().item(),
            "margin": (chosen - rejected).mean().item(),
            "chosen_reward": chosen.mean().item(),
            "rejected_reward": rejected.mean().item(),
        }

    return objective


def swap_sides(logps: PairLogps) -> PairLogps:
    """Return the same pairs with chosen and rejected exchanged."""
    return PairLogps(
        chosen=logps.rejected,
        rejected=logps.chosen,
        chosen_tokens=logps.rejected_tokens,
        rejected_tokens=logps.chosen_tokens,
    )
