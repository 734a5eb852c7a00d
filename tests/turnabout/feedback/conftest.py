"""Exchanges in one line, without a message table behind them."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from turnabout.core.conversations import EXCHANGES


@pytest.fixture
def exchange() -> Callable[..., pl.DataFrame]:
    """`exchange(follow_up="thanks")` → one `EXCHANGES` row: reply 1 of conversation `c1`, follow-up 2."""

    def build(**columns: Any) -> pl.DataFrame:
        row = {
            "conversation_id": "c1",
            "user_key": "ann",
            "previous_user": "Where can I swim?",
            "reply_index": 1,
            "reply": "There is a lake in the north.",
            "evidence_index": 2 if columns.get("follow_up") else None,
            **columns,
        }
        return pl.DataFrame([row], schema=EXCHANGES)

    return build
