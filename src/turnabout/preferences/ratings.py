"""Ratings: high-rated against low-rated replies to the same prompt."""

from typing import Literal

import polars as pl
from pydantic import Field

from turnabout.core.conversations import REPLY_KEY
from turnabout.feedback.signals import RECORDED_CONFIDENCE
from turnabout.preferences.from_logs import LogRule, add_prompts, complete_pairs, select_replies

#: Columns that two replies share that are compared.
SAME_PROMPT = ["split", "prompt_text"]


class Ratings(LogRule):
    """One pair per matched high and low rating of replies to a prompt.

    The best-rated reply is matched with the worst, the second-best with the second-worst, and so on. Two prompts are
    the same if all messages before the reply are, apart from letter case and whitespace. Each rated reply is in one
    pair at most. `r_chosen` and `r_rejected` are the ratings on the log's own scale.
    """

    rule: Literal["ratings"] = "ratings"
    min_margin: float = Field(default=1.0, gt=0)
    """Minimum difference of two ratings, on the log's scale: from 1 to 5 stars, or -1 and 1 for thumbs."""

    def find_pairs(self, messages: pl.DataFrame, splits: pl.DataFrame, feedback: pl.DataFrame) -> pl.DataFrame:
        """Return one candidate per matched pair of rated replies.

        A training reply is never compared with a validation reply.
        """
        rated = select_replies(messages, splits).filter(pl.col("rating").is_not_nan())
        ranked = _rank_by_rating(add_prompts(messages, rated))
        low = ranked.select(
            *SAME_PROMPT, *REPLY_KEY, rank=pl.col("n") - 1 - pl.col("rank"), rejected="reply", r_rejected="rating"
        )
        high = ranked.filter(pl.col("rank") < pl.col("n") // 2).rename({"reply": "chosen", "rating": "r_chosen"})
        margin = pl.col("r_chosen") - pl.col("r_rejected")
        both_replies = (*REPLY_KEY, "conversation_id_low", "reply_index_low")
        candidates = high.join(low, on=[*SAME_PROMPT, "rank"], suffix="_low").with_columns(
            pair_id=pl.format(f"{self.rule}:{{}}:{{}}:{{}}:{{}}", *both_replies),
            margin=margin,
            weight=RECORDED_CONFIDENCE["rating"],
            reason=pl.when(margin < self.min_margin).then(pl.lit("small margin")),
            evidence=pl.format("[rated {} and {}]", "r_chosen", "r_rejected"),
        )
        return complete_pairs(self.rule, candidates)


def _rank_by_rating(rated: pl.DataFrame) -> pl.DataFrame:
    """Return the replies with `prompt_text` and their `rank` among `n` replies.

    `n` counts the replies to the same prompt. Rank 0 has the best rating.
    """
    message = pl.element().struct
    text = pl.concat_str(message.field("role"), message.field("content"), separator=" ").str.to_lowercase()
    normalised = text.str.replace_all(r"\s+", " ").str.strip_chars()
    return (
        rated.with_columns(prompt_text=pl.col("prompt").list.eval(normalised).list.join("\x1e"))
        .sort("rating", *REPLY_KEY, descending=[True, False, False])
        .with_columns(n=pl.len().over(SAME_PROMPT), rank=pl.int_range(pl.len()).over(SAME_PROMPT))
    )
