"""What stages that train a user model share: the knobs of section `train_user` as settings of a training."""

from turnabout.training.engine.loop import Settings
from turnabout.training.user_model.train import TrainUser


def settings_of(knobs: TrainUser, seed: int, dtype: str, start: str) -> Settings:
    """The settings; `start` names the model that is trained, by its name or fingerprint."""
    return Settings(
        learning_rate=knobs.learning_rate,
        epochs=knobs.epochs,
        batch_size=knobs.batch_size,
        seed=seed,
        bf16=dtype == "bfloat16",
        start=start,
        warmup=knobs.warmup,
        gradient_checkpointing=knobs.gradient_checkpointing,
    )
