"""The log that pair rules are tested on: three people in three splits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.generation import Generator
from turnabout.generation.unopened import UNOPENED
from turnabout.models.checkpoints import load_chat
from turnabout.preferences import RuleContext

MakeContext = Callable[..., RuleContext]


@pytest.fixture
def make_context(
    messages: Callable[..., pl.DataFrame], signal: Callable[..., dict[str, Any]], tiny_checkpoint: Path
) -> MakeContext:
    """Builds contexts: `make_context(policy, extra_input, judge=…)`.

    Any field of `RuleContext` may be given by name. Conversations a (train), b (validation) and c (test) ask when a
    shop opens; the first reply of each drew dissatisfaction.
    """
    splits = {"a": "train", "b": "validation", "c": "test"}
    usual = RuleContext(
        messages=pl.concat([messages(name, "open when?", "nice shop", "I asked when", "at nine") for name in splits]),
        splits=pl.DataFrame(
            [{"conversation_id": name, "user_key": name, "split": split} for name, split in splits.items()],
            schema=schemas.SPLITS,
        ),
        feedback=pl.DataFrame([signal(name, 1) for name in splits], schema=schemas.FEEDBACK),
        extra_input=None,
        policy=UNOPENED,
        chat=load_chat(tiny_checkpoint),
        max_prompt_tokens=500,
        max_new_tokens=20,
        batch_size=4,
        seed=1,
    )

    def build(policy: Generator = UNOPENED, extra_input: Any = None, **fields: Any) -> RuleContext:
        return usual._replace(policy=policy, extra_input=extra_input, **fields)

    return build
