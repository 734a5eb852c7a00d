"""The training loop on a model of one weight, and how it resumes."""

import math

import pytest
import torch
from transformers import TrainerCallback

from turnabout.errors import ModelError
from turnabout.training.engine import loop
from turnabout.training.engine.loop import summarize_history, train_model


class Line(torch.nn.Module):
    """y = w, starting at 0."""

    device = torch.device("cpu")

    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(1))


def compute_squared_error(model, rows):
    return ((model.w - torch.tensor(rows)) ** 2).mean(), {"tokens": float(len(rows))}


ROWS = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_history_has_a_row_per_step_with_rate_and_accumulated_tokens(settings, tmp_path) -> None:
    history = train_model(
        Line(), ROWS, compute_squared_error, settings=settings._replace(epochs=2, warmup=0.5), work=tmp_path / "work"
    )
    assert history.columns == ["step", "loss", "learning_rate", "tokens", "seconds"]
    assert (history["seconds"] > 0).all()
    assert history["step"].to_list() == [1, 2, 3, 4, 5, 6]
    assert history["tokens"].to_list() == [2, 4, 6, 8, 10, 12]
    # 3 steps of warm-up from 0, then half a cosine: 0.01·(1 + cos(π·k/3))/2
    rates = [0, 1 / 3, 2 / 3, 1, (1 + math.cos(math.pi / 3)) / 2, (1 + math.cos(2 * math.pi / 3)) / 2]
    assert history["learning_rate"].to_list() == pytest.approx([0.01 * rate for rate in rates])


def test_seed_alone_decides_the_trajectory(settings, tmp_path) -> None:
    def train_with_seed(seed):
        return train_model(
            Line(), ROWS, compute_squared_error, settings=settings._replace(seed=seed), work=tmp_path / "work"
        )["loss"].to_list()

    assert train_with_seed(7) == train_with_seed(7) != train_with_seed(8)


def test_killed_training_resumes_on_the_same_trajectory(settings, tmp_path, kill_training) -> None:
    settings = settings._replace(epochs=3)
    whole = Line()
    history = train_model(whole, ROWS, compute_squared_error, settings=settings, work=tmp_path / "whole")

    kill_training(
        lambda kill: train_model(
            Line(), ROWS, compute_squared_error, settings=settings, work=tmp_path / "work", callbacks=[kill]
        ),
        after=5,
    )
    assert [path.name for path in (tmp_path / "work").glob("*/*")] == ["checkpoint-4"]
    seen = []
    resumed = Line()

    def record_rows(model, rows):
        seen.append(rows)
        return compute_squared_error(model, rows)

    again = train_model(resumed, ROWS, record_rows, settings=settings, work=tmp_path / "work")
    assert len(seen) == 9 - 4
    assert resumed.w.item() == whole.w.item()
    assert again.drop("seconds").equals(history.drop("seconds"))
    assert not (tmp_path / "work").exists()


def test_checkpoint_is_written_at_every_interval_except_the_last_step(settings, tmp_path, monkeypatch) -> None:
    saved = []

    class Saves(TrainerCallback):
        def on_save(self, args, state, control, **_):
            saved.append(state.global_step)

    monkeypatch.setattr(loop, "CHECKPOINT_STEPS", 2)
    train_model(
        Line(),
        ROWS,
        compute_squared_error,
        settings=settings._replace(epochs=2),
        work=tmp_path / "work",
        callbacks=[Saves()],
    )  # 6 steps
    assert saved == [2, 4]


def test_checkpoints_of_other_rows_or_settings_are_removed(settings, tmp_path) -> None:
    stale = tmp_path / "work" / "0123456789abcdef" / "checkpoint-1"
    stale.mkdir(parents=True)

    def check_stale(model, rows):
        assert not stale.exists()
        return compute_squared_error(model, rows)

    train_model(Line(), ROWS, check_stale, settings=settings, work=tmp_path / "work")


def test_training_stops_when_the_loss_is_not_finite(settings, tmp_path) -> None:
    with pytest.raises(ModelError, match="the loss is nan at step 1; lower the learning rate"):
        train_model(Line(), [math.nan] * 2, compute_squared_error, settings=settings, work=tmp_path / "work")


def test_summary_averages_the_first_and_the_last_tenth(settings, tmp_path) -> None:
    # 11 steps: a tenth is rounded up to 2
    history = train_model(Line(), ROWS[:2] * 11, compute_squared_error, settings=settings, work=tmp_path / "work")
    losses = history["loss"].to_list()
    assert summarize_history(history) == {
        "steps": 11,
        "first_loss": pytest.approx(sum(losses[:2]) / 2),
        "last_loss": pytest.approx(sum(losses[-2:]) / 2),
    }
