"""Comparison of arms, computed by hand.

Two people with one message each are paired with those of the first arm.
"""

import math

import polars as pl
import pytest

from turnabout.ablations.arm import ARM_TURNS, UserArm
from turnabout.ablations.table import MeasuredArm, compare_arms, format_estimate, format_table
from turnabout.stats.estimate import Bootstrap

#: −log P that makes one bit.
BIT = math.log(2)


def build_turns(*bits: float, detail: str = "high_level", first: int = 0) -> pl.DataFrame:
    """Return one message of ten characters by each person.

    The people are numbered from `first` on; each message has one of the given numbers of bits.
    """
    rows = [
        {
            "conversation_id": f"c{first + i}",
            "person": first + i,
            "turn": 1,
            "intent_detail": detail,
            "nats": bit * BIT,
            "tokens": 5,
            "characters": 10,
        }
        for i, bit in enumerate(bits)
    ]
    return pl.DataFrame(rows, schema=ARM_TURNS)


def build_arm(frame: pl.DataFrame, start: str = "a-model", **bits: float) -> MeasuredArm:
    estimates = {detail: {"value": value, "low": value - 0.1, "high": value + 0.1} for detail, value in bits.items()}
    metrics = {
        "bits_per_character": estimates,
        "termination": {key: {"value": None, "low": None, "high": None} for key in ("f1", "f1_drawn", "f1_always")},
        "training": {"n_samples": 96, "n_tokens": 81234},
    }
    return MeasuredArm(UserArm(start=start, detail="high_level", share=1.0, learning_rate=1e-4), metrics, frame)


def test_arm_is_compared_with_the_first_on_messages_scored_by_both() -> None:
    first = build_arm(pl.concat([build_turns(20, 30), build_turns(40, detail="none")]))
    # Only c1 is scored by both: 30 − 24 bits over 10 characters; c2 is scored by the second arm alone.
    second = build_arm(pl.concat([build_turns(24, 99, first=1), build_turns(35, detail="none")]))
    saved = compare_arms({"one": first, "two": second}, Bootstrap(20, seed=1))
    assert saved["two"]["high_level"].value == pytest.approx(0.6)
    assert saved["two"]["none"].value == pytest.approx(0.5)
    assert (saved["one"]["high_level"].value, saved["one"]["high_level"].low) == (0, 0)


def test_bootstrap_resamples_people_with_their_messages() -> None:
    # saved per character: 0.1 and 0.5; two people drawn with replacement give 0.1, 0.3 or 0.5
    saved = compare_arms(
        {"one": build_arm(build_turns(20, 30)), "two": build_arm(build_turns(19, 25))}, Bootstrap(500, seed=1)
    )
    estimate = saved["two"]["high_level"]
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.3, 0.1, 0.5))


def test_table_has_a_row_per_arm_and_a_note_on_full_intents() -> None:
    arms = {
        "one": build_arm(build_turns(20, 30), high_level=1.2, none=1.3),
        "two": build_arm(build_turns(19, 25), "b-model", high_level=1.1, none=1.25, full=1.0),
    }
    lines = format_table(arms, compare_arms(arms, Bootstrap(500, seed=1))).splitlines()
    assert lines[2] == (
        "| `one` | a-model | high_level | 96 | 81,234 | 1.200 [1.100, 1.300] | 1.300 [1.200, 1.400] |  |  | – | – | – |"
    )
    assert "| 1.100 [1.000, 1.200] | 1.250 [1.150, 1.350] | 0.300 [0.100, 0.500] | – | – | – | – |" in lines[3]
    assert lines[-1] == "With full intents, as in its training: `two`: 1.000 [0.900, 1.100] bits per character."


def test_estimate_without_an_interval_is_formatted_without_one() -> None:
    assert format_estimate({"value": 0.5, "low": None, "high": None}) == "0.500"
