"""Simulated conversations counted by hand."""

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.metrics.rollout_summary import simulated


def talk(task: str, *said: tuple[str, str], ended_by: str) -> list[dict[str, object]]:
    return [
        {
            **dict.fromkeys(schemas.ROLLOUTS),
            "task_id": task,
            "turn": turn,
            "role": role,
            "text": text,
            "ended_by": ended_by if turn == len(said) - 1 else None,
        }
        for turn, (role, text) in enumerate(said)
    ]


def test_exchanges_and_replies_given_once() -> None:
    short = talk("a", ("user", "hi"), ("assistant", "hello"), ("user", ""), ended_by="end_token")
    long = talk(
        "b", *[("user", "hm"), ("assistant", "hello"), ("user", "so"), ("assistant", "well")], ended_by="max_turns"
    )
    told = simulated(pl.DataFrame(short + long, schema=schemas.ROLLOUTS), 200, 1)
    assert [told["exchanges"][k] for k in ("value", "low", "high", "n")] == [1.5, 1.0, 2.0, 2]
    assert told["distinct_replies"]["value"] == pytest.approx(1 / 3)  # "hello" was given twice, "well" once


def test_leaving_is_by_the_users_own_choice() -> None:
    ends = ("end_token", "max_turns", "max_turns")
    talks = [row for i, by in enumerate(ends) for row in talk(str(i), ("user", "hi"), ("assistant", "o"), ended_by=by)]
    assert simulated(pl.DataFrame(talks, schema=schemas.ROLLOUTS), 10, 1)["left"]["value"] == pytest.approx(1 / 3)


def test_no_conversation_is_null_with_a_reason() -> None:
    told = simulated(schemas.ROLLOUTS.to_frame(), 10, 1)
    assert {figure["reason"] for figure in told.values()} == {"nothing to measure"}
