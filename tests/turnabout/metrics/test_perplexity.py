"""Perplexity and bits per character of a few turns, computed by hand."""

import math

import polars as pl
import pytest

from turnabout.metrics.perplexity import (
    estimate_bits_by_turn,
    estimate_bits_per_character,
    estimate_bits_saved,
    estimate_perplexity,
)
from turnabout.metrics.user_turns import TURN_SCORES
from turnabout.stats.estimate import Bootstrap

LN2 = math.log(2)

BOOTSTRAP = Bootstrap(1000, seed=1)


def turns(*rows: tuple[str, int, float, int, int]) -> pl.DataFrame:
    """Build `TURN_SCORES` from user, turn, bits, tokens and characters.

    There is one conversation per user.
    """
    return pl.DataFrame(
        [(f"talk of {user}", user, turn, bits * LN2, n, chars) for user, turn, bits, n, chars in rows],
        schema=TURN_SCORES,
        orient="row",
    )


THREE = turns(("ann", 1, 6.0, 2, 4), ("ann", 2, 2.0, 2, 4), ("bob", 1, 16.0, 4, 8))


def test_perplexity_weights_tokens_equally() -> None:
    # 24 bits in 8 tokens: 2³ = 8. ann alone 2^(8/4) = 4, bob alone 2^(16/4) = 16.
    assert estimate_perplexity(THREE, BOOTSTRAP)[:4] == pytest.approx((8.0, 4.0, 16.0, 3))


def test_bits_per_character_do_not_depend_on_tokens() -> None:
    # 24 bits in 16 characters; ann 8/8, bob 16/8.
    assert estimate_bits_per_character(THREE, BOOTSTRAP)[:3] == pytest.approx((1.5, 1.0, 2.0))
    assert estimate_bits_per_character(THREE.with_columns(tokens=1), BOOTSTRAP).value == pytest.approx(1.5)


def test_bits_saved_are_before_minus_after_on_paired_messages() -> None:
    # After training, 4 bits less for ann's first turn and 8 less for bob's: ann saves 4/8, bob 8/8, both 12/16.
    after = turns(("bob", 1, 8.0, 4, 8), ("ann", 1, 2.0, 2, 4), ("ann", 2, 2.0, 2, 4))
    assert estimate_bits_saved(THREE, after, BOOTSTRAP)[:3] == pytest.approx((0.75, 0.5, 1.0))


def test_bits_by_turn_pool_late_turns() -> None:
    many = turns(("ann", 1, 4.0, 1, 2), *(("ann", turn, 2.0, 1, 2) for turn in (10, 11, 25)))
    assert estimate_bits_by_turn(many, BOOTSTRAP)["turn", "bits_per_character", "n"].rows() == [
        (1, 2.0, 1),
        (10, 1.0, 3),
    ]


def test_estimates_without_turns_are_null_with_a_reason() -> None:
    assert estimate_perplexity(THREE.clear(), BOOTSTRAP).to_dict()["reason"] == "nothing to measure"
    assert estimate_bits_saved(THREE.clear(), THREE.clear(), BOOTSTRAP).value is None
    assert estimate_bits_by_turn(THREE.clear(), BOOTSTRAP).is_empty()
