"""What happened in simulated conversations: figures that need no further model to read them."""

from typing import Any

import polars as pl

from turnabout.stats.estimate import mean


def simulated(rollouts: pl.DataFrame, resamples: int, seed: int) -> dict[str, Any]:
    """Of one assistant's conversations with the simulated user (`schemas.ROLLOUTS`), resampled by task.

    Replies per conversation (`exchanges`), the share the user left by itself (`left`), and the share of replies that
    were given once only (`distinct_replies`).
    """
    replies = rollouts.filter(role="assistant")
    talks = (
        rollouts.group_by("task_id")
        .agg(exchanges=(pl.col("role") == "assistant").sum(), left=(pl.col("ended_by") == "end_token").any())
        .sort("task_id")
    )
    tasks, told = talks["task_id"].to_list(), replies["task_id"].to_list()
    return {
        "exchanges": mean(talks["exchanges"], tasks, resamples, seed).to_dict(),
        "left": mean(talks["left"].fill_null(False), tasks, resamples, seed).to_dict(),
        "distinct_replies": mean(replies["text"].is_unique(), told, resamples, seed).to_dict(),
    }
