"""Pairs against people: where somebody compared the very two replies of a pair, whether they prefer the same one."""

from typing import Any

import numpy as np
import polars as pl

from turnabout.core.conversations import exchanges
from turnabout.quality.dropping import is_comparable
from turnabout.quality.sides import ordered
from turnabout.stats.estimate import mean, nothing
from turnabout.stats.kappa import kappa

#: One choice between two replies at one place of a conversation, by a person.
CHOICES = pl.Schema(
    {
        "conversation_id": pl.String(),
        "reply_index": pl.Int32(),
        "preferred": pl.String(),
        "other": pl.String(),
    }
)

PLACE = ["conversation_id", "reply_index"]


def choices(messages: pl.DataFrame) -> pl.DataFrame:
    """What people preferred in the log (`CHOICES`): a reply or an alternative shown beside it; ties are none.

    A reply that somebody edited lost to its edit.
    """
    replies = exchanges(messages).select(*PLACE, "reply", "edited_text", "alternatives", "preferences")
    votes = (
        replies.filter(pl.col("preferences").is_not_null(), pl.col("alternatives").is_not_null())
        .explode("alternatives", "preferences")
        .filter(pl.col("preferences") != 0)
    )
    reply_won = pl.col("preferences") > 0
    voted = votes.select(
        *PLACE,
        preferred=pl.when(reply_won).then("reply").otherwise("alternatives"),
        other=pl.when(reply_won).then("alternatives").otherwise("reply"),
    )
    edited = replies.drop_nulls("edited_text").select(*PLACE, preferred="edited_text", other="reply")
    return pl.concat([voted, edited]).drop_nulls().sort(list(CHOICES))


def agreement(pairs: pl.DataFrame, chosen_by_people: pl.DataFrame, resamples: int, seed: int) -> dict[str, Any]:
    """Share of kept pairs that people prefer the same way and Cohen's kappa of both, each with its interval.

    `chosen_by_people` are `CHOICES`. Two replies are held together by their words, at the same place of a conversation.
    Which is "the first" for kappa is their order by words, so neither judge can know it. An arm built from these very
    choices agrees with them by construction.
    """
    comparable = pairs.filter(is_comparable()).with_columns(person=pl.coalesce("user_key", "conversation_id"))
    of_arm, of_people = ordered(comparable, "chosen", "rejected"), ordered(chosen_by_people, "preferred", "other")
    both = of_arm.join(of_people, on=[*PLACE, "first", "second"], suffix="_people", maintain_order="left")
    if both.is_empty():
        none = nothing(
            "nobody compared replies in these conversations"
            if chosen_by_people.is_empty()
            else "people compared other replies"
        )
        return {"agreement": none.to_dict(), "kappa": none.to_dict()}
    arm, human, people = both["prefers_first"], both["prefers_first_people"], both["person"].to_list()
    return {
        "agreement": mean((arm == human).to_numpy(), people, resamples, seed).to_dict(),
        "kappa": kappa(arm.to_numpy(), human.to_numpy(), np.ones(both.height), people, resamples, seed).to_dict(),
    }
