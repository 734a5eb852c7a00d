"""Reading held-out people to the end: does a model leave where they left? Its figures are those of `termination`."""

from typing import Literal, NamedTuple

import polars as pl

from turnabout.metrics.termination import best_threshold, termination
from turnabout.metrics.user_turns import endings, score
from turnabout.models.checkpoints import Checkpoint
from turnabout.stats.estimate import Estimate


class Leaving(NamedTuple):
    """The figures by name, and the threshold behind those that need one (None where nobody left to choose it on)."""

    figures: dict[str, Estimate]
    threshold: float | None


def leaving(
    checkpoint: Checkpoint,
    validation: pl.DataFrame,
    test: pl.DataFrame,
    ending_length: int,
    batch_size: int,
    boot: tuple[int, int],
    speaks: Literal["user", "assistant"] = "user",
) -> Leaving:
    """Leaving in the last `ending_length` tokens of the test conversations (`schemas.USER_SAMPLES`).

    The threshold is chosen on the validation conversations; `boot` is the resamples behind intervals and their seed.
    """
    chosen_on, measured_on = (
        score(checkpoint, endings(part, checkpoint.chat, ending_length), batch_size, speaks).decisions
        for part in (validation, test)
    )
    threshold = best_threshold(chosen_on)
    return Leaving(termination(measured_on, threshold, *boot), threshold)
