"""Fixtures of the training tests: model, settings, samples and pairs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from transformers import TrainerCallback

from turnabout.core import schemas
from turnabout.losses import Loss
from turnabout.models import checkpoints
from turnabout.models.checkpoints import Checkpoint
from turnabout.training.assistant.train import ArmTraining, TrainAssistant, TrainedAssistant, train_assistant
from turnabout.training.engine import loop
from turnabout.training.engine.settings import RunContext, TrainingSettings
from turnabout.training.user_model.train import TrainUser


class Killed(Exception):
    """Raised in a training to end it as if its process had been killed."""


class Kill(TrainerCallback):
    """Kills a training after a number of steps."""

    def __init__(self, after: int) -> None:
        self.after = after

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.after:
            raise Killed


@pytest.fixture
def kill_training(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`kill_training(training, 3)` runs `training(callback)` up to step 3.

    There is a checkpoint every other step.
    """

    def run(training: Callable[[TrainerCallback], object], after: int) -> None:
        monkeypatch.setattr(loop, "CHECKPOINT_STEPS", 2)
        with pytest.raises(Killed):
            training(Kill(after))

    return run


@pytest.fixture
def tiny(tiny_checkpoint: Path) -> Checkpoint:
    return checkpoints.load_checkpoint(tiny_checkpoint, "float32")


@pytest.fixture
def settings() -> TrainingSettings:
    return TrainingSettings(learning_rate=1e-2, epochs=1, batch_size=2, seed=7, bf16=False, start="tiny")


@pytest.fixture
def run(tmp_path: Path) -> RunContext:
    """The surroundings of a training with the seed of `settings`, in float32."""
    return RunContext(seed=7, dtype="float32", start="tiny", work=tmp_path / "work")


@pytest.fixture
def train_tiny(tiny: Checkpoint, run: RunContext) -> Callable[..., TrainedAssistant]:
    """`train_tiny(pairs, DPO(), epochs=5)` → an assistant."""

    def train(frame: pl.DataFrame, loss: Loss, epochs: int = 1, gate_pairs: int = 2) -> TrainedAssistant:
        options = TrainAssistant(
            max_length=100,
            batch_size=2,
            lora_rank=4,
            gate_pairs=gate_pairs,
            gate_steps=40,
            gate_learning_rate=1e-2,
        )
        training = ArmTraining(loss=loss, learning_rate=1e-2, epochs=epochs)
        return train_assistant(tiny, frame, options=options, training=training, run=run)

    return train


@pytest.fixture
def user_options() -> Callable[..., TrainUser]:
    """`user_options(lora_rank=4)` → section `train_user` for the tiny model."""

    def build(**changes: Any) -> TrainUser:
        values = {
            "epochs": 1,
            "max_length": 200,
            "max_tokens": None,
            "packing": True,
            "lora_rank": None,
            "sampled_softmax": None,
            "batch_size": 2,
            "learning_rate": 1e-2,
            "warmup": 0.0,
            "gradient_checkpointing": False,
            "processes": 1,
        }
        return TrainUser.model_validate(values | changes)

    return build


@pytest.fixture
def user_samples() -> Callable[..., pl.DataFrame]:
    """`user_samples(3)` → three conversations of two user turns.

    They are `schemas.USER_SAMPLES`; columns are changed by keyword.
    """
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
    """`pairs(("hi", "good", "bad"), …)` → kept `schemas.PAIRS` to train on.

    Columns are changed by keyword.
    """

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
