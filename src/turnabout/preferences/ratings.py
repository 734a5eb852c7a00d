"""Ratings: of replies to one and the same prompt in different conversations, one rated high against one rated low."""

from typing import Literal

import polars as pl
from pydantic import Field

from turnabout.feedback.signals import RECORDED
from turnabout.preferences.from_logs import FromLogs, checked, replies, with_prompts

#: What replies share that are compared.
SAME = ["split", "words"]


class Ratings(FromLogs):
    """The best-rated reply to a prompt against the worst, the second-best against the second-worst, and so on.

    Prompts are the same where all messages before the reply are, letter case and blanks aside. Each rated reply is in
    one pair at most. `r_chosen` and `r_rejected` are the ratings on the log's own scale.
    """

    rule: Literal["ratings"] = "ratings"
    min_margin: float = Field(default=1.0, gt=0)
    """Least difference of two ratings, on the log's scale: from 1 to 5 stars, or -1 and 1 for thumbs."""

    def found(self, messages: pl.DataFrame, splits: pl.DataFrame, feedback: pl.DataFrame) -> pl.DataFrame:
        """Nobody's rating of a training reply meets one of a validation reply."""
        rated = replies(messages, splits).filter(pl.col("rating").is_not_nan())
        placed = _placed(with_prompts(messages, rated))
        low = placed.select(
            *SAME,
            "conversation_id",
            "reply_index",
            place=pl.col("n") - 1 - pl.col("place"),
            rejected="reply",
            r_rejected="rating",
        )
        high = placed.filter(pl.col("place") < pl.col("n") // 2).rename({"reply": "chosen", "rating": "r_chosen"})
        margin = pl.col("r_chosen") - pl.col("r_rejected")
        ends = ("conversation_id", "reply_index", "conversation_id_low", "reply_index_low")
        return checked(
            self.rule,
            high.join(low, on=[*SAME, "place"], suffix="_low").with_columns(
                pair_id=pl.format(f"{self.rule}:{{}}:{{}}:{{}}:{{}}", *ends),
                margin=margin,
                weight=RECORDED["rating"],
                reason=pl.when(margin < self.min_margin).then(pl.lit("small margin")),
                evidence=pl.format("[rated {} and {}]", "r_chosen", "r_rejected"),
            ),
        )


def _placed(rated: pl.DataFrame) -> pl.DataFrame:
    """The replies with the `words` before them, how many follow these (`n`), and the `place` of the rating, 0 best."""
    message = pl.element().struct
    words = pl.concat_str(message.field("role"), message.field("content"), separator=" ").str.to_lowercase()
    told = pl.col("prompt").list.eval(words.str.replace_all(r"\s+", " ").str.strip_chars()).list.join("\x1e")
    return (
        rated.with_columns(words=told)
        .sort("rating", "conversation_id", "reply_index", descending=[True, False, False])
        .with_columns(n=pl.len().over(SAME), place=pl.int_range(pl.len()).over(SAME))
    )
