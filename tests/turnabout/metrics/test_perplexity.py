"""Perplexity and bits per character from a few turns, worked out by hand."""

import math

import polars as pl
import pytest

from turnabout.metrics.perplexity import bits_per_character, bits_saved, by_turn, perplexity
from turnabout.metrics.user_turns import TURNS

LN2 = math.log(2)


def turns(*rows: tuple[str, int, float, int, int]) -> pl.DataFrame:
    """Rows of user, turn, bits, tokens, characters; one conversation per user."""
    return pl.DataFrame(
        [(f"talk of {user}", user, turn, bits * LN2, n, chars) for user, turn, bits, n, chars in rows],
        schema=TURNS,
        orient="row",
    )


THREE = turns(("ann", 1, 6.0, 2, 4), ("ann", 2, 2.0, 2, 4), ("bob", 1, 16.0, 4, 8))


def test_perplexity_weighs_tokens_not_turns() -> None:
    # 24 bits in 8 tokens: 2³ = 8. ann alone 2^(8/4) = 4, bob alone 2^(16/4) = 16.
    assert perplexity(THREE, 1000, 1)[:4] == pytest.approx((8.0, 4.0, 16.0, 3))


def test_bits_per_character_do_not_depend_on_the_tokens() -> None:
    # 24 bits in 16 characters; ann 8/8, bob 16/8.
    assert bits_per_character(THREE, 1000, 1)[:3] == pytest.approx((1.5, 1.0, 2.0))
    assert bits_per_character(THREE.with_columns(tokens=1), 1000, 1).value == pytest.approx(1.5)


def test_bits_saved_are_before_minus_after_on_the_same_messages() -> None:
    # After training, 4 bits less for ann's first turn and 8 less for bob's: ann saves 4/8, bob 8/8, both 12/16.
    after = turns(("bob", 1, 8.0, 4, 8), ("ann", 1, 2.0, 2, 4), ("ann", 2, 2.0, 2, 4))
    assert bits_saved(THREE, after, 1000, 1)[:3] == pytest.approx((0.75, 0.5, 1.0))


def test_late_turns_share_a_row() -> None:
    many = turns(("ann", 1, 4.0, 1, 2), *(("ann", turn, 2.0, 1, 2) for turn in (10, 11, 25)))
    assert by_turn(many, 100, 1).select("turn", "bits_per_character", "n").rows() == [(1, 2.0, 1), (10, 1.0, 3)]


def test_no_turn_is_null_with_a_reason() -> None:
    assert perplexity(THREE.clear(), 10, 1).to_dict()["reason"] == "nothing to measure"
    assert bits_saved(THREE.clear(), THREE.clear(), 10, 1).value is None
    assert by_turn(THREE.clear(), 10, 1).is_empty()
