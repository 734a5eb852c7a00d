"""Shared by the tests of quality: pairs in one line, a filter's context."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.quality.base import FilterContext

Build = Callable[..., pl.DataFrame]

#: The context of filters that look at the pairs alone.
CONTEXT = FilterContext(messages=schemas.MESSAGES.to_frame(), seed=1, reports={})


@pytest.fixture
def pairs() -> Build:
    """Builds pairs: `pairs(("a", "good", "bad", {"weight": 0.5}), …)`.

    They are kept training pairs of one person each, all with the prompt "hi".
    """

    def build(*rows: tuple[Any, ...]) -> pl.DataFrame:
        complete = [
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
        return pl.DataFrame(complete, schema=schemas.PAIRS)

    return build


def drop_reasons(pairs: pl.DataFrame) -> dict[str, str | None]:
    """Return what each pair was dropped for; None where it is kept."""
    rows = pairs.select("pair_id", "keep", "reason").iter_rows()
    return {name: None if keep else reason for name, keep, reason in rows}
