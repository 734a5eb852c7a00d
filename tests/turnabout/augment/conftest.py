"""Shared by the tests of augmenters that write about criticised replies."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from turnabout.augment.base import Logs
from turnabout.core import schemas
from turnabout.feedback.judged_replies import CRITICISED, criticised_replies

REPLY = "The shop is a very nice place. It opened in 1975."


@pytest.fixture
def criticised() -> pl.DataFrame:
    """One criticised reply (`CRITICISED`)."""
    row: dict[str, Any] = {
        "conversation_id": "a",
        "reply_index": 1,
        "user_key": "ann",
        "split": "train",
        "category": "complaint",
        "confidence": 0.9,
        "prompt": [{"role": "user", "content": "when does the shop open?"}],
        "reply": REPLY,
        "follow_up": "that is not what I asked you just now, when does it open?",
    }
    return pl.DataFrame([row], schema=CRITICISED)


@pytest.fixture
def logs(criticised: pl.DataFrame) -> Logs:
    """Logs of which nothing but the criticised reply is read."""
    nothing = pl.DataFrame()
    return Logs(nothing, nothing, nothing, criticised, {})


@pytest.fixture
def heard(messages: Callable[..., pl.DataFrame], signal: Callable[..., dict[str, Any]]) -> Logs:
    """A conversation in which the replies 1 and 5 were criticised and 3 was not; each came to the person's ears."""
    said = messages(
        "a",
        "When does the shop open?",
        REPLY,
        "that is not what I asked, when does it open?",
        "At nine, every day of the week but on Sunday.",
        "Thanks! Please send a list of all the prices in French.",
        "Voici les prix.",
        "No, I want the whole list, of all of them.",
    )
    splits = pl.DataFrame([{"conversation_id": "a", "user_key": "ann", "split": "train"}], schema=schemas.SPLITS)
    signals = [signal("a", 1), signal("a", 3, label="sat", category="positive"), signal("a", 5, category="rephrase")]
    feedback = pl.DataFrame(signals, schema=schemas.FEEDBACK)
    return Logs(said, splits, feedback, criticised_replies(said, splits, feedback, []), {})
