"""Shared by the tests of quality: pairs in one line each."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from turnabout.core import schemas

Build = Callable[..., pl.DataFrame]


@pytest.fixture
def pairs() -> Build:
    """`pairs(("a", "good", "bad", {"weight": 0.5}), …)` → kept training pairs of one person each, all asked "hi"."""

    def build(*rows: tuple[Any, ...]) -> pl.DataFrame:
        told = [
            {
                **dict.fromkeys(schemas.PAIRS),
                "pair_id": pair_id,
                "conversation_id": pair_id,
                "reply_index": 1,
                "user_key": f"user of {pair_id}",
                "split": "train",
                "prompt": [{"role": "user", "content": "hi"}],
                "chosen": chosen,
                "rejected": rejected,
                "weight": 1.0,
                "keep": True,
                **(columns[0] if columns else {}),
            }
            for pair_id, chosen, rejected, *columns in rows
        ]
        return pl.DataFrame(told, schema=schemas.PAIRS)

    return build


def reasons(pairs: pl.DataFrame) -> dict[str, str | None]:
    """What each pair was dropped for; None where it is kept."""
    return {name: None if keep else why for name, keep, why in pairs.select("pair_id", "keep", "reason").iter_rows()}
