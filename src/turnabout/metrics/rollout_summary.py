"""Figures of simulated conversations that need no further model."""

from typing import Any

import polars as pl

from turnabout.stats.estimate import Bootstrap


def summarize_rollouts(rollouts: pl.DataFrame, bootstrap: Bootstrap) -> dict[str, Any]:
    """Summarize one assistant's simulated conversations (`schemas.ROLLOUTS`).

    Returns replies per conversation (`exchanges`), the share of conversations that the user ended (`ended_by_user`),
    and the share of replies that were given only once (`distinct_replies`). Intervals resample tasks.
    """
    replies = rollouts.filter(role="assistant")
    conversations = (
        rollouts.group_by("task_id")
        .agg(
            exchanges=(pl.col("role") == "assistant").sum(),
            ended_by_user=(pl.col("ended_by") == "end_token").any(),
        )
        .sort("task_id")
    )
    tasks = conversations["task_id"].to_list()
    ended_by_user = conversations["ended_by_user"].fill_null(False)
    return {
        "exchanges": bootstrap.mean(conversations["exchanges"], tasks).to_dict(),
        "ended_by_user": bootstrap.mean(ended_by_user, tasks).to_dict(),
        "distinct_replies": bootstrap.mean(replies["text"].is_unique(), replies["task_id"].to_list()).to_dict(),
    }
