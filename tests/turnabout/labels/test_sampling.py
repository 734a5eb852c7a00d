"""Samples to label: strata, repeatability, and weights with which labels represent the whole log."""

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.labels.sampling import add_weights, allocate_sample, assign_strata, draw_sample, select_unjudged

NOTHING_DRAWN, NO_LABELS = schemas.LABEL_SAMPLE.to_frame(), schemas.LABELS.to_frame()


def build_exchanges(n):
    rows = {"conversation_id": [f"c{i:03}" for i in range(n)], "reply_index": [1] * n}
    return pl.DataFrame(rows, schema={"conversation_id": pl.String, "reply_index": pl.Int32})


def build_signals(n, category="complaint", label="dsat", miner="rules", confidence=0.9):
    rows = build_exchanges(n).with_columns(
        label=pl.lit(label), category=pl.lit(category), miner=pl.lit(miner), confidence=confidence
    )
    missing = [pl.lit(None, dtype=t).alias(c) for c, t in schemas.FEEDBACK.items() if c not in rows.columns]
    return rows.with_columns(missing).select(list(schemas.FEEDBACK))


def build_labels(*rows):
    return pl.DataFrame([(c, 1, label, None, who) for c, label, who in rows], schema=schemas.LABELS, orient="row")


def test_stratum_is_the_most_confident_signal_that_is_no_decision():
    rows = pl.concat(
        [
            build_signals(2),
            build_signals(1, "positive", "sat", miner="learned", confidence=0.95),
            build_signals(3, "rephrase", miner="ensemble", confidence=1.0),
        ]
    )
    assert assign_strata(build_exchanges(3), rows)["stratum"].to_list() == ["sat/positive", "dsat/complaint", "silent"]


@pytest.mark.parametrize(
    ("sizes", "size", "shares"),
    [
        ({"silent": 900, "a": 50, "b": 50}, 30, {"silent": 10, "a": 10, "b": 10}),
        ({"silent": 900, "a": 4, "b": 50}, 30, {"silent": 10, "a": 4, "b": 16}),
        ({"silent": 900, "a": 2}, 30, {"silent": 28, "a": 2}),
        ({"silent": 3, "a": 50}, 30, {"silent": 3, "a": 27}),
        ({"a": 5}, 30, {"silent": 0, "a": 5}),
        ({}, 30, {"silent": 0}),
    ],
)
def test_third_is_silent_and_small_strata_leave_more_to_larger_ones(sizes, size, shares):
    assert allocate_sample(sizes, size) == shares


def test_seed_repeats_the_sample_whatever_the_order():
    sample = draw_sample(build_exchanges(90), build_signals(20), NOTHING_DRAWN, size=12, seed=1)
    again = draw_sample(build_exchanges(90).reverse(), build_signals(20), NOTHING_DRAWN, size=12, seed=1)
    assert sample.equals(again)
    assert not sample.equals(draw_sample(build_exchanges(90), build_signals(20), NOTHING_DRAWN, size=12, seed=2))
    assert sample.select("stratum", "n_stratum", "n_drawn").unique().sort("stratum").rows() == [
        ("dsat/complaint", 20, 8),
        ("silent", 70, 4),
    ]


def test_no_exchange_is_drawn_twice():
    first = draw_sample(build_exchanges(30), build_signals(10), NOTHING_DRAWN, size=12, seed=1)
    second = draw_sample(build_exchanges(30), build_signals(10), first, size=100, seed=1)
    assert second.join(first, on="conversation_id").is_empty()
    assert (second.height, second["draw"].unique().to_list()) == (18, [2])
    assert draw_sample(build_exchanges(30), build_signals(10), first.vstack(second), size=5, seed=1).is_empty()


def test_annotator_gets_what_they_have_not_judged():
    sample = draw_sample(build_exchanges(3), build_signals(0), NOTHING_DRAWN, size=3, seed=1)
    labels = build_labels(("c000", "sat", "ann"))
    assert select_unjudged(sample, labels, "ann")["conversation_id"].to_list() == ["c001", "c002"]
    assert select_unjudged(sample, labels, "bea").height == 3


def build_sample(*rows):
    return pl.DataFrame([(c, 1, d, s, n, k) for c, d, s, n, k in rows], schema=schemas.LABEL_SAMPLE, orient="row")


def test_label_stands_for_its_part_of_the_stratum():
    sample = build_sample(("a", 1, "silent", 100, 2), ("b", 1, "silent", 100, 2), ("c", 1, "dsat/x", 10, 1))
    labels = build_labels(("a", "none", "ann"), ("b", "sat", "ann"), ("c", "dsat", "ann"), ("c", "none", "bea"))
    assert add_weights(labels, sample)["weight"].to_list() == [50.0, 50.0, 5.0, 5.0]
    assert add_weights(labels.filter(pl.col("conversation_id") != "b"), sample)["weight"].to_list() == [100.0, 5.0, 5.0]


def test_estimates_of_two_draws_are_averaged():
    # draw 1: 1 of 10; draw 2: 3 of the other 9; shares 1/4 and 3/4
    sample = build_sample(("a", 1, "silent", 10, 1), *((c, 2, "silent", 9, 3) for c in "bcd"))
    labels = build_labels(*((c, "none", "ann") for c in "abcd"))
    weights = add_weights(labels, sample)["weight"].to_list()
    assert weights == [pytest.approx(0.25 * 10 + 0.75 * 1), *[pytest.approx(0.75 * 9 / 3)] * 3]
    assert sum(weights) == pytest.approx(10)


def test_weighted_share_is_unbiased_over_seeds():
    # 6 of 60 are dissatisfied: 4 of the 10 that the rules flag, 2 of the 50 they pass by
    true = {f"c{i:03}" for i in (0, 1, 2, 3, 20, 40)}
    estimates = []
    for seed in range(300):
        first = draw_sample(build_exchanges(60), build_signals(10), NOTHING_DRAWN, size=12, seed=seed)
        sample = first.vstack(draw_sample(build_exchanges(60), build_signals(10), first, size=9, seed=seed))
        labels = build_labels(*((c, "dsat" if c in true else "none", "ann") for c in sample["conversation_id"]))
        weighted = add_weights(labels, sample)
        estimates.append(weighted.filter(label="dsat")["weight"].sum())
    assert sum(estimates) / len(estimates) == pytest.approx(6, abs=0.5)
