"""Single replies that people liked or disliked as training rows: what a unary loss, such as KTO, learns from."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from turnabout.core.messages import Message
from turnabout.losses import JudgedLogps, UnaryLoss
from turnabout.models.chat_format import ChatFormat, Encoded
from turnabout.models.logps import answers, pad, token_logps
from turnabout.training.engine.loop import Objective

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


class JudgedRow(NamedTuple):
    """One judged reply as tokens, and another prompt's reply after its prompt; with the frozen policy's log-probs.

    `p_label` is how likely people really judged it so.
    """

    completion: Encoded
    mismatched: Encoded
    is_liked: bool
    weight: float
    p_label: float = 1.0
    reference_completion: float = 0.0
    reference_mismatched: float = 0.0

    def knowing(self, first: float, second: float) -> "JudgedRow":
        """The row with its reference's log-probabilities."""
        return self._replace(reference_completion=first, reference_mismatched=second)

    def certain(self) -> "JudgedRow":
        """The row as if its label were beyond doubt."""
        return self._replace(p_label=1.0)


class Reply(NamedTuple):
    """One side of a pair, by itself."""

    prompt: list[Message]
    text: str
    is_liked: bool
    weight: float
    p_label: float


def encode_judged(chat: ChatFormat, pairs: pl.DataFrame, max_length: int) -> tuple[list[JudgedRow], Counter[str]]:
    """The sides of the kept training pairs as rows, by `pair_id`, and how many were left out for each reason.

    A pair gives a liked and a disliked reply; a row of which one side is missing, one reply.
    """
    kept = pairs.filter("keep", split="train").sort("pair_id")
    replies = [reply for pair in kept.iter_rows(named=True) for reply in sides(pair)]
    rows: list[JudgedRow] = []
    dropped: Counter[str] = Counter()
    for index, reply in enumerate(replies):
        (own,) = answers(chat, reply.prompt, [reply.text], max_length)
        if not reply.text.strip():
            dropped["empty completion"] += 1
        elif len(own.input_ids) > max_length:
            dropped["longer than max_length"] += 1
        else:
            (other,) = answers(chat, reply.prompt, [elsewhere(replies, index)], max_length)
            # The beginning of it estimates the divergence as well.
            other = Encoded(other.input_ids[:max_length], other.is_target[:max_length])
            rows.append(JudgedRow(own, other, reply.is_liked, reply.weight, reply.p_label))
    return rows, dropped


def sides(pair: dict[str, Any]) -> list[Reply]:
    """The chosen reply as liked, the rejected one as disliked; what is missing is left out."""
    certainty = pair["weight"], 1.0 if pair["p_win"] is None else pair["p_win"]
    liked = Reply(pair["prompt"], pair["chosen"], True, *certainty)
    disliked = Reply(pair["rejected_prompt"] or pair["prompt"], pair["rejected"], False, *certainty)
    return [reply for reply in (liked, disliked) if reply.text is not None]


def elsewhere(replies: Sequence[Reply], index: int) -> str:
    """The next reply to another prompt, round the end; its own where there is but one prompt."""
    others = (replies[(index + step) % len(replies)] for step in range(1, len(replies)))
    return next((reply for reply in others if reply.prompt != replies[index].prompt), replies[index]).text


def judged_logps(model: "PreTrainedModel", rows: Sequence[JudgedRow]) -> JudgedLogps:
    """Log-probabilities of B judged replies, and of their mismatched ones, through which no gradient flows."""
    import torch

    completion = token_logps(model, pad([row.completion for row in rows], model.device)).sum(dim=1)
    with torch.no_grad():
        mismatched = token_logps(model, pad([row.mismatched for row in rows], model.device)).sum(dim=1)
    return JudgedLogps(completion, mismatched)


def judged_objective(loss: UnaryLoss) -> Objective:
    """The weighted mean loss of a batch of judged replies, and what its implicit rewards say.

    `accuracy` is the share of liked replies that have become likelier and of disliked ones that have become less
    likely. `margin` and the reward of a side that the batch lacks are null.
    """

    def objective(model: "PreTrainedModel", rows: Sequence[JudgedRow]) -> "tuple[Tensor, dict[str, float | None]]":
        import torch

        policy = judged_logps(model, rows)
        like = policy.completion.new_tensor
        reference = JudgedLogps(
            like([row.reference_completion for row in rows]), like([row.reference_mismatched for row in rows])
        )
        is_liked = like([row.is_liked for row in rows]).bool()
        p_label = like([row.p_label for row in rows])
        losses = p_label * loss(policy, reference, is_liked) + (1 - p_label) * loss(policy, reference, ~is_liked)
        value = (like([row.weight for row in rows]) * losses).mean()
        rewards = loss.rewards(policy, reference).detach()
        chosen, rejected = (
            side.mean().item() if len(side) else None for side in (rewards[is_liked], rewards[~is_liked])
        )
        return value, {
            "tokens": float(sum(len(row.completion.input_ids) + len(row.mismatched.input_ids) for row in rows)),
            "accuracy": torch.where(is_liked, rewards > 0, rewards < 0).float().mean().item(),
            "margin": None if chosen is None or rejected is None else chosen - rejected,
            "chosen_reward": chosen,
            "rejected_reward": rejected,
        }

    return objective
