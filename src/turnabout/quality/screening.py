"""All measures and filters of `build_pairs.quality`, one after another, over one arm's pairs."""

from collections.abc import Callable
from typing import Any, NamedTuple

import polars as pl

from turnabout.core import schemas
from turnabout.models.checkpoints import Checkpoint
from turnabout.quality.caps import capped
from turnabout.quality.ches import length_normalised_ches
from turnabout.quality.contradictions import without_contradictions
from turnabout.quality.difficulty import ranking_difficulty
from turnabout.quality.dropping import highest_dropped, is_comparable
from turnabout.quality.leaks import without_leaks
from turnabout.quality.lengths import of_like_length
from turnabout.quality.readings import readings, swapped
from turnabout.quality.relabelling import relabelled
from turnabout.quality.settings import Quality
from turnabout.quality.strength import measured

#: Bootstrap resamples of people behind an interval.
RESAMPLES = 1000


class Screened(NamedTuple):
    """The pairs (`schemas.PAIRS`, by `pair_id`) with columns of quality and reasons, and what strength was found."""

    pairs: pl.DataFrame
    strength: dict[str, Any] | None


def screened(
    pairs: pl.DataFrame,
    messages: pl.DataFrame,
    quality: Quality,
    open_policy: Callable[[], Checkpoint],
    batch_size: int,
    seed: int,
) -> Screened:
    """The pairs of one arm after everything `quality` asks for; no row leaves, each dropped one says why.

    The policy is opened only where a measure needs it and a pair is left.
    """
    if quality.leaks:
        pairs = without_leaks(pairs, messages)
    if quality.contradictions:
        pairs = without_contradictions(pairs)
    if quality.max_length_ratio is not None:
        pairs = of_like_length(pairs, quality.max_length_ratio)
    strength = None
    if quality.reads_policy and not (comparable := pairs.filter(is_comparable())).is_empty():
        read, strength = _read(comparable, quality, open_policy(), batch_size, seed)
        pairs = pl.concat([pairs.filter(~is_comparable()), read])
        if quality.difficulty is not None:
            pairs = highest_dropped(pairs, "difficulty", quality.difficulty.drop_top, "too difficult")
        if quality.ches is not None:
            pairs = highest_dropped(pairs, "ches", quality.ches.drop_top, "replies too alike (CHES)")
    if quality.max_per_person is not None:
        pairs = capped(pairs, quality.max_per_person)
    return Screened(schemas.check(pairs, schemas.PAIRS, "pairs").sort("pair_id"), strength)


def _read(
    comparable: pl.DataFrame, quality: Quality, policy: Checkpoint, batch_size: int, seed: int
) -> tuple[pl.DataFrame, dict[str, Any] | None]:
    """Comparable pairs with what the policy's readings say of them, and the report of their strength.

    Strength comes first: the other measures depend on which reply is the chosen one.
    """
    read = readings(policy, comparable, batch_size)
    strength = None
    if quality.strength is not None:
        found, strength = measured(comparable, read.difference, quality.strength, RESAMPLES, seed)
        if "reason" not in strength:
            changed, counts = relabelled(found, quality.strength)
            is_flipped = (changed["chosen"] != found["chosen"]).to_numpy()
            read = swapped(read, is_flipped)
            found, strength = changed, strength | counts
        comparable = found
    if quality.difficulty is not None:
        comparable = comparable.with_columns(difficulty=pl.Series(ranking_difficulty(read), dtype=pl.Float64))
    if quality.ches is not None:
        comparable = comparable.with_columns(ches=pl.Series(length_normalised_ches(read), dtype=pl.Float64))
    return comparable, strength
