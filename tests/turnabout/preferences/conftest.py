"""What every pair rule is tested on: three people who asked when a shop opens, one of them in the test split."""

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


@pytest.fixture
def material(
    messages: Callable[..., pl.DataFrame], signal: Callable[..., dict[str, Any]], tiny_checkpoint: Path
) -> Callable[..., RuleContext]:
    """`material(policy, reads, judge=…)`: conversations a (train), b (validation) and c (test), whose first reply each
    drew dissatisfaction; any field of `Material` may be given by name."""
    said = pl.concat([messages(c, "open when?", "nice shop", "I asked when", "at nine") for c in ("a", "b", "c")])
    people = zip("abc", ("train", "validation", "test"), strict=True)
    splits = pl.DataFrame(
        [{"conversation_id": name, "user_key": name, "split": split} for name, split in people], schema=schemas.SPLITS
    )
    feedback = pl.DataFrame([signal(c, 1) for c in "abc"], schema=schemas.FEEDBACK)
    chat = load_chat(tiny_checkpoint)

    def build(policy: Generator = UNOPENED, reads: Any = None, **others: Any) -> RuleContext:
        return RuleContext(said, splits, feedback, reads, policy, chat, 500, 20, 4, 1)._replace(**others)

    return build
