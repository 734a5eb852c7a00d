"""Shared by the training tests: the tiny model in float32, settings, and preference pairs in one line each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from transformers import TrainerCallback

from turnabout.core import schemas
from turnabout.models import checkpoints
from turnabout.models.checkpoints import Checkpoint
from turnabout.training.engine import loop
from turnabout.training.engine.loop import Settings


class Killed(Exception):
    """A training that ended as if its process had been killed."""


class Kill(TrainerCallback):
    """Kills a training after so many steps."""

    def __init__(self, after: int) -> None:
        self.after = after

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.after:
            raise Killed


@pytest.fixture
def begun_and_killed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`begun_and_killed(training, 3)` runs `training(callback)` up to step 3, with a checkpoint every other step."""

    def run(training: Callable[[TrainerCallback], object], after: int) -> None:
        monkeypatch.setattr(loop, "CHECKPOINT_STEPS", 2)
        with pytest.raises(Killed):
            training(Kill(after))

    return run


@pytest.fixture
def tiny(tiny_checkpoint: Path) -> Checkpoint:
    return checkpoints.load(tiny_checkpoint, "float32")


@pytest.fixture
def settings() -> Settings:
    return Settings(learning_rate=1e-2, epochs=1, batch_size=2, seed=7, bf16=False, start="tiny")


@pytest.fixture
def user_samples() -> Callable[..., pl.DataFrame]:
    """`user_samples(3)` → that many conversations of two user turns (`schemas.USER_SAMPLES`); columns by keyword."""
    talk = [("user", "hi"), ("assistant", "hello"), ("user", "bye"), ("assistant", "see you")]

    def build(n: int, **columns: object) -> pl.DataFrame:
        row = {
            "user_key": "ann",
            "split": "train",
            "intent": "chat",
            "messages": [{"role": role, "content": content} for role, content in talk],
            "target_indexes": [0, 2],
            "ends": True,
            **columns,
        }
        return pl.DataFrame([{"conversation_id": f"c{i}", **row} for i in range(n)], schema=schemas.USER_SAMPLES)

    return build


@pytest.fixture
def pairs() -> Callable[..., pl.DataFrame]:
    """`pairs(("hi", "good", "bad"), …)` → a kept `schemas.PAIRS` frame of the train split; columns by keyword."""

    def build(*rows: tuple[str, str, str], **columns: object) -> pl.DataFrame:
        return pl.DataFrame(
            [
                {
                    **dict.fromkeys(schemas.PAIRS),
                    "pair_id": f"p{index:02d}",
                    "split": "train",
                    "prompt": [{"role": "user", "content": prompt}],
                    "chosen": chosen,
                    "rejected": rejected,
                    "weight": 1.0,
                    "keep": True,
                    **columns,
                }
                for index, (prompt, chosen, rejected) in enumerate(rows)
            ],
            schema=schemas.PAIRS,
        )

    return build
