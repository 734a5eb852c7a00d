"""How well the arms of the user model foresee the same held-out people, and know when they leave.

The questions are those of Naous et al. 2025 (§3): does the intent help, is a base model the better start, how much data
does it take? Arms differ in what their entry says and in nothing else.
"""

from typing import Any, NamedTuple

import polars as pl

from turnabout.ablations.arm import TURNS
from turnabout.metrics.end_probabilities import leaving
from turnabout.metrics.perplexity import bits_per_character, perplexity
from turnabout.metrics.user_turns import openings, score
from turnabout.models.checkpoints import Checkpoint


class Figures(NamedTuple):
    """The figures of an arm as its metrics file has them, and the messages behind them (`arm.TURNS`)."""

    metrics: dict[str, Any]
    turns: pl.DataFrame


class Reading(NamedTuple):
    """How much is read of each conversation, from its beginning and of its end, how many at once, and the bootstrap
    behind each interval."""

    max_length: int
    ending_length: int
    batch_size: int
    resamples: int
    seed: int


def measure(checkpoint: Checkpoint, samples: dict[str, pl.DataFrame], reading: Reading) -> Figures:
    """How well a trained user model foresees the test people, and knows when they leave.

    `samples` (`schemas.USER_SAMPLES`) are the same conversations by how much their intents tell. Those of `high_level`
    are read once more with their intents withheld (`none`): the same messages. They also hold the validation people, on
    whom the threshold of leaving is chosen.
    """
    boot = (reading.resamples, reading.seed)
    told_or_not = {**samples, "none": samples["high_level"]}
    read = {told: _read(checkpoint, told, frame, reading) for told, frame in told_or_not.items()}
    validation, test = (_known(samples["high_level"], split) for split in ("validation", "test"))
    left = leaving(checkpoint, validation, test, reading.ending_length, reading.batch_size, boot).figures
    metrics = {
        "bits_per_character": {told: bits_per_character(turns, *boot).to_dict() for told, turns in read.items()},
        "perplexity": {told: perplexity(turns, *boot).to_dict() for told, turns in read.items()},
        "termination": {name: estimate.to_dict() for name, estimate in left.items()},
        "n_conversations": samples["high_level"].filter(split="test").height,
    }
    # Numbered whether or not anything of them was read, so that a person has one number in every arm.
    people = _known(samples["high_level"], "test").select(pl.col("user_key").unique().sort()).with_row_index("person")
    frames = [
        turns.join(people, on="user_key").with_columns(told=pl.lit(told)).select(list(TURNS))
        for told, turns in read.items()
    ]
    return Figures(metrics, pl.concat(frames).sort("told", "conversation_id", "turn"))


def _read(checkpoint: Checkpoint, told: str, samples: pl.DataFrame, reading: Reading) -> pl.DataFrame:
    """`user_turns.TURNS` of the test people under what the model is told."""
    excerpts = openings(_known(samples, "test"), checkpoint.chat, reading.max_length, with_intent=told != "none")
    return score(checkpoint, excerpts, reading.batch_size).turns


def _known(samples: pl.DataFrame, split: str) -> pl.DataFrame:
    """The samples of a split; without a user key each conversation is a person of its own."""
    return samples.filter(split=split).with_columns(user_key=pl.coalesce("user_key", "conversation_id"))
