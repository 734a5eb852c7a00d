"""Weak training pairs are dropped, flipped, softened or weighted."""

import math

import polars as pl
import pytest

from tests.turnabout.quality.conftest import Build, drop_reasons
from turnabout.quality.relabelling import relabel_pairs
from turnabout.quality.strength import Strength

#: Two weakest of five below 0, the next two near 0, one clear; and a validation pair weaker than all.
STRENGTHS = {"a": -2.0, "b": -1.0, "c": -0.1, "d": 0.4, "e": 3.0, "v": -9.0}


@pytest.fixture
def measured(pairs: Build) -> pl.DataFrame:
    def columns(name: str, strength: float) -> dict[str, object]:
        split = "validation" if name == "v" else "train"
        measures = {"margin": 0.2, "r_chosen": 0.7, "r_rejected": 0.5, "weight": 0.5}
        return measures | {"strength_mean": strength, "split": split, "rationale": "it is kinder"}

    return pairs(*((name, f"good {name}", f"bad {name}", columns(name, s)) for name, s in STRENGTHS.items()))


def settings(**options: object) -> Strength:
    return Strength(wrong=0.4, ambiguous=0.4, **options)  # type: ignore[arg-type]


def test_relabelling_drops_the_weakest_and_softens_the_next(measured: pl.DataFrame) -> None:
    pairs, counts = relabel_pairs(measured, settings())
    wrong = "label taken to be wrong"
    assert drop_reasons(pairs) == {"a": wrong, "b": wrong, "c": None, "d": None, "e": None, "v": None}
    assert counts == {"n_wrong": 2, "n_ambiguous": 2}
    # σ(−0.1) < 1/2 is a toss-up; σ(0.4) = 1/(1 + e^−0.4)
    assert pairs["p_win"].to_list() == [None, None, 0.5, pytest.approx(1 / (1 + math.exp(-0.4))), None, None]
    assert pairs["reason"].to_list()[2:] == ["softened: strength", "softened: strength", None, None]


def test_flipped_pair_swaps_sides_and_signs_and_loses_its_rationale(measured: pl.DataFrame) -> None:
    pairs, _ = relabel_pairs(measured, settings(wrong_are="flipped", ambiguous_are="kept"))
    columns = ["chosen", "rejected", "r_chosen", "r_rejected", "margin", "strength_mean", "rationale", "keep", "reason"]
    assert pairs.select(columns).row(0) == ("bad a", "good a", 0.5, 0.7, -0.2, 2.0, None, True, "flipped: strength")
    assert pairs[2:].equals(measured[2:])


def test_weighted_pair_has_less_weight_and_a_toss_up_is_dropped(measured: pl.DataFrame) -> None:
    pairs, _ = relabel_pairs(measured, settings(wrong_are="kept", ambiguous_are="weighted"))
    # 0.5 · (2σ(0.4) − 1), and 0 for the toss-up
    assert pairs["weight"].to_list() == [0.5, 0.5, 0.0, pytest.approx(0.5 * (2 / (1 + math.exp(-0.4)) - 1)), 0.5, 0.5]
    assert drop_reasons(pairs) == dict.fromkeys("abdev") | {"c": "label no better than a toss-up"}


def test_weak_label_above_zero_is_ambiguous_and_not_wrong(pairs: Build) -> None:
    built = pairs(("a", "x", "y", {"strength_mean": 0.1}), ("b", "x", "y", {"strength_mean": 2.0}))
    _, counts = relabel_pairs(built, Strength(wrong=0.5, ambiguous=0.0))
    assert counts == {"n_wrong": 0, "n_ambiguous": 1}
