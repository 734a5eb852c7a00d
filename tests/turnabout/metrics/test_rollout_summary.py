"""Figures of simulated conversations, counted by hand."""

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.metrics.rollout_summary import summarize_rollouts
from turnabout.stats.estimate import Bootstrap


def conversation(task: str, *messages: tuple[str, str], ended_by: str) -> list[dict[str, object]]:
    return [
        {
            **dict.fromkeys(schemas.ROLLOUTS),
            "task_id": task,
            "turn": turn,
            "role": role,
            "text": text,
            "ended_by": ended_by if turn == len(messages) - 1 else None,
        }
        for turn, (role, text) in enumerate(messages)
    ]


def test_summary_has_exchanges_and_distinct_replies() -> None:
    short = conversation("a", ("user", "hi"), ("assistant", "hello"), ("user", ""), ended_by="end_token")
    long = conversation(
        "b", *[("user", "hm"), ("assistant", "hello"), ("user", "so"), ("assistant", "well")], ended_by="max_turns"
    )
    figures = summarize_rollouts(pl.DataFrame(short + long, schema=schemas.ROLLOUTS), Bootstrap(200, seed=1))
    assert [figures["exchanges"][k] for k in ("value", "low", "high", "n")] == [1.5, 1.0, 2.0, 2]
    assert figures["distinct_replies"]["value"] == pytest.approx(1 / 3)  # "hello" was given twice, "well" once


def test_summary_counts_conversations_that_the_user_ended() -> None:
    ends = ("end_token", "max_turns", "max_turns")
    rows = []
    for i, ended_by in enumerate(ends):
        rows += conversation(str(i), ("user", "hi"), ("assistant", "o"), ended_by=ended_by)
    figures = summarize_rollouts(pl.DataFrame(rows, schema=schemas.ROLLOUTS), Bootstrap(10, seed=1))
    assert figures["ended_by_user"]["value"] == pytest.approx(1 / 3)


def test_summary_without_conversations_is_null_with_a_reason() -> None:
    figures = summarize_rollouts(schemas.ROLLOUTS.to_frame(), Bootstrap(10, seed=1))
    assert {figure["reason"] for figure in figures.values()} == {"nothing to measure"}
