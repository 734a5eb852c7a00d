"""Screening: all filters of `build_pairs.quality` on one arm's pairs."""

from collections.abc import Callable
from typing import Any, NamedTuple

import polars as pl

from turnabout.core import schemas
from turnabout.models.checkpoints import Checkpoint
from turnabout.quality.base import FilterContext, is_comparable
from turnabout.quality.readings import add_readings
from turnabout.quality.settings import Quality


class ScreenedPairs(NamedTuple):
    """The pairs (`schemas.PAIRS`, by `pair_id`), and the filters' reports."""

    pairs: pl.DataFrame
    reports: dict[str, Any]


def screen_pairs(
    pairs: pl.DataFrame,
    quality: Quality,
    *,
    messages: pl.DataFrame,
    open_policy: Callable[[], Checkpoint],
    batch_size: int,
    seed: int,
) -> ScreenedPairs:
    """Apply the filters that are on to the pairs of one arm; no row is removed.

    Each dropped pair has the reason of the first filter that dropped it. The policy is opened only if a filter needs
    it and a comparable pair is still kept by then; `batch_size` counts replies.
    """
    context = FilterContext(messages=messages, seed=seed, reports={})
    is_read = False
    for quality_filter, setting in quality.enabled_filters():
        if quality_filter.reads_policy and not is_read:
            if pairs.filter(is_comparable()).is_empty():
                continue
            pairs = add_readings(pairs, open_policy(), batch_size)
            is_read = True
        pairs = quality_filter.apply(pairs, setting, context)
    without_readings = schemas.check(pairs, schemas.PAIRS, "pairs")
    return ScreenedPairs(without_readings.sort("pair_id"), context.reports)
