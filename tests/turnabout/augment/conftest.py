"""Criticised replies and model contexts for the tests of augmenters."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from turnabout.augment.base import AugmentContext, AugmentInputs
from turnabout.core import schemas
from turnabout.feedback.judged_replies import CRITICISED_REPLIES, select_criticised_replies
from turnabout.generation import Generator

REPLY = "The shop is a very nice place. It opened in 1975."


def build_context(generator: Generator, **settings: Any) -> AugmentContext:
    """Return a context with seed 0 and short limits; `settings` override."""
    return AugmentContext(generator, **{"max_prompt_tokens": 400, "max_new_tokens": 20, "seed": 0, **settings})


@pytest.fixture
def criticised() -> pl.DataFrame:
    """One criticised reply (`CRITICISED_REPLIES`)."""
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
    return pl.DataFrame([row], schema=CRITICISED_REPLIES)


@pytest.fixture
def inputs(criticised: pl.DataFrame) -> AugmentInputs:
    """Inputs with one criticised reply and nothing else."""
    empty = pl.DataFrame()
    return AugmentInputs(messages=empty, splits=empty, feedback=empty, criticised=criticised, tables={})


@pytest.fixture
def two_criticised(messages: Callable[..., pl.DataFrame], signal: Callable[..., dict[str, Any]]) -> AugmentInputs:
    """A conversation with criticised replies 1 and 5 and a praised reply 3."""
    conversation = messages(
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
    criticised = select_criticised_replies(conversation, splits, feedback, [])
    return AugmentInputs(messages=conversation, splits=splits, feedback=feedback, criticised=criticised, tables={})
