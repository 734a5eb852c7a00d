"""Training rows and objective of unary losses such as KTO.

A row is a single reply that was liked or disliked.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from turnabout.core.messages import Message
from turnabout.losses import UnaryLogps, UnaryLoss
from turnabout.models.chat_format import ChatFormat, EncodedChat
from turnabout.models.logps import compute_token_logps, encode_answers, pad_rows
from turnabout.training.assistant.rows import PreferenceRow, compute_expected_loss
from turnabout.training.engine.settings import Objective

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True, kw_only=True)
class UnaryRow(PreferenceRow):
    """One labelled reply, and another prompt's reply to the same prompt."""

    completion: EncodedChat
    mismatched: EncodedChat
    is_liked: bool


class LabelledReply(NamedTuple):
    """One side of a pair, by itself."""

    prompt: list[Message]
    text: str
    is_liked: bool
    weight: float
    p_label: float


def encode_unary(chat: ChatFormat, pairs: pl.DataFrame, max_length: int) -> tuple[list[UnaryRow], Counter[str]]:
    """Return the sides of kept training pairs as rows, and drop counts.

    The counts are by reason. A pair gives a liked and a disliked reply; a pair with one side missing gives one reply.
    The rows are in the order of `pair_id`.
    """
    replies: list[LabelledReply] = []
    for pair in pairs.filter("keep", split="train").sort("pair_id").iter_rows(named=True):
        replies += split_pair(pair)
    rows: list[UnaryRow] = []
    dropped: Counter[str] = Counter()
    for index, reply in enumerate(replies):
        (completion,) = encode_answers(chat, reply.prompt, [reply.text], max_length)
        if not reply.text.strip():
            dropped["empty completion"] += 1
        elif len(completion.input_ids) > max_length:
            dropped["longer than max_length"] += 1
        else:
            (mismatched,) = encode_answers(chat, reply.prompt, [find_mismatched_text(replies, index)], max_length)
            row = UnaryRow(
                completion=completion,
                # Its first tokens estimate the divergence as well.
                mismatched=EncodedChat(mismatched.input_ids[:max_length], mismatched.is_target[:max_length]),
                is_liked=reply.is_liked,
                weight=reply.weight,
                p_label=reply.p_label,
            )
            rows.append(row)
    return rows, dropped


def split_pair(pair: dict[str, Any]) -> list[LabelledReply]:
    """Return the chosen reply as liked and the rejected one as disliked.

    A missing side is left out.
    """
    replies: list[LabelledReply] = []
    sides = (
        (pair["prompt"], pair["chosen"], True),
        (pair["rejected_prompt"] or pair["prompt"], pair["rejected"], False),
    )
    for prompt, text, is_liked in sides:
        if text is None:
            continue
        reply = LabelledReply(
            prompt=prompt,
            text=text,
            is_liked=is_liked,
            weight=pair["weight"],
            p_label=1.0 if pair["p_win"] is None else pair["p_win"],
        )
        replies.append(reply)
    return replies


def find_mismatched_text(replies: Sequence[LabelledReply], index: int) -> str:
    """Return the next reply to another prompt, wrapping round at the end.

    It is the reply itself if all replies follow one prompt.
    """
    for step in range(1, len(replies)):
        candidate = replies[(index + step) % len(replies)]
        if candidate.prompt != replies[index].prompt:
            return candidate.text
    return replies[index].text


def compute_unary_logps(model: "PreTrainedModel", rows: Sequence[UnaryRow]) -> UnaryLogps:
    """Return the log-probabilities of B replies and of their mismatched ones.

    No gradient flows through the latter.
    """
    import torch

    completion = compute_token_logps(model, pad_rows([row.completion for row in rows], model.device)).sum(dim=1)
    with torch.no_grad():
        mismatched = compute_token_logps(model, pad_rows([row.mismatched for row in rows], model.device)).sum(dim=1)
    return UnaryLogps(completion, mismatched)


def build_unary_objective(loss: UnaryLoss) -> Objective:
    """Return the objective of replies: the weighted mean loss of a batch.

    Its metric `accuracy` is the share of liked replies with a reward above 0 and of disliked ones with a reward below
    0. `margin` and the reward of a side are null in a batch that lacks the side.
    """

    def objective(model: "PreTrainedModel", rows: Sequence[UnaryRow]) -> "tuple[Tensor, dict[str, float | None]]":
        import torch

        policy = compute_unary_logps(model, rows)
        reference = UnaryLogps(*policy.completion.new_tensor([row.reference_logps for row in rows]).unbind(dim=1))
        is_liked = torch.tensor([row.is_liked for row in rows], device=policy.completion.device)
        as_labelled, flipped = loss(policy, reference, is_liked), loss(policy, reference, ~is_liked)
        rewards = loss.compute_rewards(policy, reference).detach()
        chosen, rejected = _mean_or_none(rewards[is_liked]), _mean_or_none(rewards[~is_liked])
        return compute_expected_loss(rows, as_labelled, flipped), {
            "tokens": float(sum(len(row.completion.input_ids) + len(row.mismatched.input_ids) for row in rows)),
            "accuracy": torch.where(is_liked, rewards > 0, rewards < 0).float().mean().item(),
            "margin": None if chosen is None or rejected is None else chosen - rejected,
            "chosen_reward": chosen,
            "rejected_reward": rejected,
        }

    return objective


def _mean_or_none(rewards: "Tensor") -> float | None:
    """Return the mean, or None for an empty tensor."""
    return rewards.mean().item() if len(rewards) else None
