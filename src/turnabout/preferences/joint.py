"""Joint preferences: good and bad replies of different conversations.

DOVE (Bansal et al. 2024, arXiv 2404.00530): instruction and reply are compared together, so the prompts may differ, and
DPO needs no other formula: −log σ(β[ρ(R_w|I_w) − ρ(R_l|I_l)]). A log that praises here and complains there, but never
shows two replies to the same message, can so be learnt from. Sums of log-ratios grow with length, so a pair whose sides
differ in length is told apart by length alone: only replies of about the same length are matched.
"""

from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from turnabout.core.conversations import REPLY_KEY, rank_by_hash
from turnabout.feedback.judged_replies import select_judged_replies
from turnabout.feedback.signals import WeakCategory
from turnabout.preferences.from_logs import LogRule, complete_pairs

#: Number of replies of one length that are matched at once; the cost is quadratic in it.
BLOCK_SIZE = 500


class Joint(LogRule):
    """One pair per dissatisfying reply and its matched satisfying reply.

    Each reply is in one pair at most. Two replies have the same length if their numbers of characters have the same
    power of two. Among those, the matching maximises the total similarity of the requests, the share of words that the
    last messages before the replies have in common. The pair belongs to the dissatisfying reply. `r_chosen` and
    `r_rejected` are the scores of the two decisions, -1 to 1.
    """

    rule: Literal["joint"] = "joint"
    min_similarity: float = Field(default=0.0, ge=0, le=100)
    """Minimum similarity of the two requests, 0 to 100 (share of common words); 0 takes any of the same length."""
    weak: tuple[WeakCategory, ...] = ()
    """Categories of weak dissatisfaction that reject a reply, too."""

    def find_pairs(self, messages: pl.DataFrame, splits: pl.DataFrame, feedback: pl.DataFrame) -> pl.DataFrame:
        """Return one candidate per match.

        A training reply is never matched with a validation reply.
        """
        judged = select_judged_replies(messages, splits, feedback, self.weak).with_columns(
            length=pl.col("reply").str.len_chars().clip(lower_bound=1).log(2).floor(),
            request=pl.col("prompt").list.last().struct.field("content"),
        )
        matches = []
        for _, same_length in judged.group_by("split", "length", maintain_order=True):
            matches += [_match_replies(block) for block in _split_blocks(same_length)]
        both_replies = ("conversation_id", "reply_index", "conversation_id_chosen", "reply_index_chosen")
        reason = (
            pl.when(pl.col("conversation_id") == pl.col("conversation_id_chosen"))
            .then(pl.lit("same conversation"))
            .when(pl.col("similarity") < self.min_similarity)
            .then(pl.lit("requests too different"))
        )
        candidates = pl.concat(matches or [_match_replies(judged)]).with_columns(
            pair_id=pl.format(f"{self.rule}:{{}}:{{}}:{{}}:{{}}", *both_replies),
            margin=pl.col("r_chosen") - pl.col("r_rejected"),
            weight=pl.min_horizontal("confidence", "confidence_chosen"),
            reason=reason,
            evidence="follow_up",
        )
        return complete_pairs(self.rule, candidates)


def _split_blocks(replies: pl.DataFrame) -> list[pl.DataFrame]:
    """Split replies of one length into blocks, shuffled by a hash."""
    shuffled = replies.sort(rank_by_hash(0, *REPLY_KEY))
    return list(shuffled.iter_slices(BLOCK_SIZE))


def _match_replies(judged: pl.DataFrame) -> pl.DataFrame:
    """Match dissatisfying replies (`rejected`) with satisfying ones (`chosen`).

    There are as many matches as there are replies of the rarer label.
    """
    from scipy.optimize import linear_sum_assignment

    bad, good = judged.filter(label="dsat"), judged.filter(label="sat")
    similarity = _compare_requests(bad, good)
    bad_indexes, good_indexes = linear_sum_assignment(similarity, maximize=True)
    rejected = bad[bad_indexes].rename({"reply": "rejected", "score": "r_rejected", "prompt": "rejected_prompt"})
    chosen = good[good_indexes].select(
        "prompt",
        chosen="reply",
        r_chosen="score",
        conversation_id_chosen="conversation_id",
        reply_index_chosen="reply_index",
        confidence_chosen="confidence",
    )
    matched_similarity = pl.Series("similarity", similarity[bad_indexes, good_indexes], pl.Float64)
    return pl.concat([rejected, chosen, matched_similarity.to_frame()], how="horizontal")


def _compare_requests(bad: pl.DataFrame, good: pl.DataFrame) -> NDArray[np.float32]:
    """Return the similarity of the requests, 0 to 100, shape (bad, good).

    Within a conversation it is far below 0, so that such a match is made last.
    """
    from rapidfuzz.fuzz import token_set_ratio
    from rapidfuzz.process import cdist
    from rapidfuzz.utils import default_process

    similarity = cdist(
        bad["request"].to_list(), good["request"].to_list(), scorer=token_set_ratio, processor=default_process
    )
    is_same = bad["conversation_id"].to_numpy()[:, None] == good["conversation_id"].to_numpy()[None, :]
    return np.where(is_same, np.float32(-1000), similarity.reshape(bad.height, good.height))
