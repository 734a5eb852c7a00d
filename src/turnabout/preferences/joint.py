"""Joint preferences: a reply that satisfied in one conversation against one that dissatisfied in another.

DOVE (Bansal et al. 2024, arXiv 2404.00530): instruction and reply are compared together, so the prompts may differ, and
DPO needs no other formula: −log σ(β[ρ(R_w|I_w) − ρ(R_l|I_l)]). A log that praises here and complains there, but never
shows two replies to the same words, teaches through it. Sums of log-ratios grow with length, so a pair whose sides
differ in length is told apart by that alone: only replies of about the same length meet.
"""

from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from turnabout.core.conversations import hash_rank
from turnabout.feedback.judged_replies import judged_replies
from turnabout.feedback.signals import WeakCategory
from turnabout.preferences.from_logs import FromLogs, checked

#: Replies of one length that are matched at once: the work is the square of it.
BLOCK = 500


class Joint(FromLogs):
    """One pair per dissatisfying reply and the satisfying one it is matched with; each reply is in one pair at most.

    Replies are of one length where their numbers of characters have the same power of two, and of one kind as far as
    the last messages before them share words: a matching of the greatest total similarity. The pair is that of the
    dissatisfying reply. `r_chosen` and `r_rejected` are the scores of the two judgements, -1 to 1.
    """

    rule: Literal["joint"] = "joint"
    min_similarity: float = Field(default=0.0, ge=0, le=100)
    """Least similarity of the two requests, 0 to 100 (share of common words); 0 takes any of the same length."""
    weak: tuple[WeakCategory, ...] = ()
    """Categories of weak dissatisfaction that reject a reply, too."""

    def found(self, messages: pl.DataFrame, splits: pl.DataFrame, feedback: pl.DataFrame) -> pl.DataFrame:
        """Training replies meet training replies, validation replies those of validation."""
        judged = judged_replies(messages, splits, feedback, self.weak).with_columns(
            length=pl.col("reply").str.len_chars().clip(lower_bound=1).log(2).floor(),
            request=pl.col("prompt").list.last().struct.field("content"),
        )
        matches = [
            _matched(block)
            for (_, _), group in judged.group_by("split", "length", maintain_order=True)
            for block in _blocks(group)
        ]
        margin = pl.col("r_chosen") - pl.col("r_rejected")
        ends = ("conversation_id", "reply_index", "conversation_id_chosen", "reply_index_chosen")
        reason = (
            pl.when(pl.col("conversation_id") == pl.col("conversation_id_chosen"))
            .then(pl.lit("same conversation"))
            .when(pl.col("similarity") < self.min_similarity)
            .then(pl.lit("requests too different"))
        )
        candidates = pl.concat(matches or [_matched(judged)]).with_columns(
            pair_id=pl.format(f"{self.rule}:{{}}:{{}}:{{}}:{{}}", *ends),
            margin=margin,
            weight=pl.min_horizontal("confidence", "confidence_chosen"),
            reason=reason,
            evidence="follow_up",
        )
        return checked(self.rule, candidates)


def _blocks(group: pl.DataFrame) -> list[pl.DataFrame]:
    """The replies of one length in parts of bounded size, dealt by a hash of their place."""
    shuffled = group.sort(hash_rank(0, "conversation_id", "reply_index"))
    return list(shuffled.iter_slices(BLOCK))


def _matched(judged: pl.DataFrame) -> pl.DataFrame:
    """Each dissatisfying reply as `rejected` beside a satisfying one as `chosen`, as many as there are of the fewer."""
    from scipy.optimize import linear_sum_assignment

    bad, good = (judged.filter(label=label) for label in ("dsat", "sat"))
    similarity = _similarity(bad, good)
    left, right = linear_sum_assignment(similarity, maximize=True)
    rejected = bad[left].rename({"reply": "rejected", "score": "r_rejected", "prompt": "rejected_prompt"})
    chosen = good[right].select(
        "prompt",
        chosen="reply",
        r_chosen="score",
        conversation_id_chosen="conversation_id",
        reply_index_chosen="reply_index",
        confidence_chosen="confidence",
    )
    found = pl.Series("similarity", similarity[left, right], pl.Float64)
    return pl.concat([rejected, chosen, found.to_frame()], how="horizontal")


def _similarity(bad: pl.DataFrame, good: pl.DataFrame) -> NDArray[np.float32]:
    """How alike the requests are, 0 to 100, shape (bad, good); far below 0 within a conversation: taken last."""
    from rapidfuzz.fuzz import token_set_ratio
    from rapidfuzz.process import cdist
    from rapidfuzz.utils import default_process

    alike = cdist(
        bad["request"].to_list(), good["request"].to_list(), scorer=token_set_ratio, processor=default_process
    )
    own = bad["conversation_id"].to_numpy()[:, None] == good["conversation_id"].to_numpy()[None, :]
    return np.where(own, np.float32(-1000), alike.reshape(bad.height, good.height))
