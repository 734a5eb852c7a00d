"""Agreement of pairs with people's own choices between the same two replies."""

from typing import Any

import numpy as np
import polars as pl

from turnabout.core.conversations import REPLY_KEY, build_exchanges
from turnabout.quality.base import is_comparable
from turnabout.quality.filters import order_replies
from turnabout.stats.estimate import Bootstrap, missing_estimate
from turnabout.stats.kappa import estimate_kappa

#: One person's choice between two replies to the same history of a conversation.
CHOICES = pl.Schema(
    {
        "conversation_id": pl.String(),
        "reply_index": pl.Int32(),
        "preferred": pl.String(),
        "other": pl.String(),
    }
)


def find_choices(messages: pl.DataFrame) -> pl.DataFrame:
    """Return people's preferences in the log (`CHOICES`), sorted, without ties.

    Each is between a reply and an alternative shown beside it, or between an edit and the reply that it replaced.
    """
    replies = build_exchanges(messages).select(*REPLY_KEY, "reply", "edited_text", "alternatives", "preferences")
    votes = (
        replies.filter(pl.col("preferences").is_not_null(), pl.col("alternatives").is_not_null())
        .explode("alternatives", "preferences")
        .filter(pl.col("preferences") != 0)
    )
    prefers_reply = pl.col("preferences") > 0
    voted = votes.select(
        *REPLY_KEY,
        preferred=pl.when(prefers_reply).then("reply").otherwise("alternatives"),
        other=pl.when(prefers_reply).then("alternatives").otherwise("reply"),
    )
    edited = replies.drop_nulls("edited_text").select(*REPLY_KEY, preferred="edited_text", other="reply")
    return pl.concat([voted, edited]).drop_nulls().sort(list(CHOICES))


def measure_agreement(pairs: pl.DataFrame, choices: pl.DataFrame, bootstrap: Bootstrap) -> dict[str, Any]:
    """Estimate how often people prefer the chosen reply of the kept pairs.

    Returns the share of agreement and Cohen's kappa, each with its interval. `choices` are `CHOICES`. A pair and a
    choice are matched by the conversation, the reply's index and the words of both replies. The "first" reply for kappa
    is the first one in the order of their words, so neither side can know it. An arm built from these very choices
    agrees with them by construction.
    """
    comparable = pairs.filter(is_comparable()).with_columns(person=pl.coalesce("user_key", "conversation_id"))
    by_arm, by_people = order_replies(comparable, "chosen", "rejected"), order_replies(choices, "preferred", "other")
    both = by_arm.join(by_people, on=[*REPLY_KEY, "first", "second"], suffix="_people", maintain_order="left")
    if both.is_empty():
        missing = missing_estimate(
            "nobody compared replies in these conversations" if choices.is_empty() else "people compared other replies"
        )
        return {"agreement": missing.to_dict(), "kappa": missing.to_dict()}
    arm, human, people = both["prefers_first"], both["prefers_first_people"], both["person"].to_list()
    kappa = estimate_kappa(
        arm.to_numpy(), human.to_numpy(), weight=np.ones(both.height), users=people, bootstrap=bootstrap
    )
    return {
        "agreement": bootstrap.mean((arm == human).to_numpy(), people).to_dict(),
        "kappa": kappa.to_dict(),
    }
