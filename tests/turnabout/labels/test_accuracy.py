"""Accuracy against labels: weighted shares with Wilson intervals, kappa, out-of-fold decisions, and the gate."""

import polars as pl
import pytest
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score

from turnabout.core import schemas
from turnabout.errors import DataError
from turnabout.feedback.ensemble import SHIPPED_WEIGHTS
from turnabout.feedback.signals import drop_weak
from turnabout.labels.accuracy import (
    check_precision,
    decide_out_of_fold,
    estimate_recall,
    estimate_share,
    measure_by_label,
    measure_mining_accuracy,
    prepare_labels,
)


def build_labels(*rows):
    """Labels, (conversation, label, weight, annotator) per row; every conversation is a person of its own."""
    columns = {"conversation_id": pl.String, "label": pl.String, "weight": pl.Float64, "annotator": pl.String}
    return pl.DataFrame(list(rows), schema=columns, orient="row").with_columns(
        reply_index=pl.lit(1, dtype=pl.Int32), user_key=pl.col("conversation_id")
    )


@pytest.fixture
def build_signals(signal):
    def build(*rows):
        """Signals of the miner `rules`, (conversation, label, category) per row."""
        signals = [{**signal(c, 1, label, category), "miner": "rules"} for c, label, category in rows]
        return pl.DataFrame(signals, schema=schemas.FEEDBACK)

    return build


def test_interval_with_equal_weights_is_wilsons_over_people():
    table = build_labels(*((f"c{i}", "dsat", 3.0, "ann") for i in range(10))).with_columns(hit=pl.int_range(10) < 7)
    estimate, expected = estimate_share(table, "hit"), binomtest(7, 10).proportion_ci(method="wilson")
    assert (estimate.value, estimate.n) == (0.7, 10)
    assert (estimate.low, estimate.high) == (pytest.approx(expected.low), pytest.approx(expected.high))


def test_exchanges_of_one_person_count_as_one_observation():
    table = build_labels(*((f"c{i}", "dsat", 1.0, "ann") for i in range(10))).with_columns(hit=pl.int_range(10) < 7)
    single = estimate_share(table.with_columns(user_key=pl.lit("ann")), "hit")
    expected = 0.7 + 1.959964**2 / 2  # centre for n = 1, before division by 1 + z²
    assert single.low is not None
    assert single.high is not None
    assert (single.low + single.high) / 2 == pytest.approx(expected / (1 + 1.959964**2))


def test_precision_and_recall_are_weighted(build_signals):
    labels = build_labels(
        ("a", "dsat", 2.0, "x"), ("b", "none", 1.0, "x"), ("c", "dsat", 6.0, "x"), ("d", "none", 9.0, "x")
    )
    signals = build_signals(("a", "dsat", "complaint"), ("b", "dsat", "complaint"))
    figures = measure_by_label(signals, labels, seed=1)["dsat"]
    assert figures["precision"]["value"] == pytest.approx(2 / 3)
    assert figures["recall"]["value"] == pytest.approx(2 / 8)


@pytest.mark.parametrize(
    ("n_missed", "expected"),
    [
        (0, (1.0, 0.1527, 1.0)),  # 5 hits; of the unflagged, which stand for 100, up to 27.75 % may be missed
        (1, (0.3333, 0.0687, 0.7487)),
    ],
)
def test_recall_is_as_uncertain_as_the_share_missed(n_missed, expected):
    # ten flagged, half of them rightly: Wilson [.2366, .7634]
    # ten unflagged, 0 or 1 missed: [0, .2775], [.0179, .4042]
    rows = [(f"f{i}", "dsat" if i < 5 else "none", 1.0, "x") for i in range(10)]
    rows += [(f"s{i}", "dsat" if i < n_missed else "none", 10.0, "x") for i in range(10)]
    table = build_labels(*rows).with_columns(flagged=pl.int_range(20) < 10, true=pl.col("label") == "dsat")
    estimate = estimate_recall(table)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx(expected, abs=1e-4)
    assert estimate.n == 5 + n_missed


def test_recall_with_all_or_none_flagged_is_wilsons():
    table = build_labels(*((f"c{i}", "dsat", 1.0, "x") for i in range(4))).with_columns(flagged=True, true=True)
    assert estimate_recall(table) == estimate_share(table, "flagged")
    none_flagged = table.with_columns(flagged=False)
    assert estimate_recall(none_flagged) == estimate_share(none_flagged, "flagged")
    assert estimate_recall(table.with_columns(true=False)).value is None


def test_annotators_are_compared_on_what_both_judged(build_signals):
    by_ann, by_bea = ["sat", "dsat", "none", "none", "dsat"], ["sat", "none", "none", "none", "dsat"]
    rows = [(f"c{i}", label, 1.0, "ann") for i, label in enumerate(by_ann)]
    rows += [(f"c{i}", label, 1.0, "bea") for i, label in enumerate(by_bea)] + [("c9", "sat", 1.0, "bea")]
    figures = measure_mining_accuracy(build_signals(), build_labels(*rows), SHIPPED_WEIGHTS, min_confidence=0.5, seed=1)
    agreement = figures["annotators"]["ann and bea"]
    assert (agreement["value"], agreement["n"]) == (pytest.approx(cohen_kappa_score(by_ann, by_bea)), 5)


def test_accuracy_has_miners_and_categories_and_no_weak_decisions(build_signals):
    signals = build_signals(("a", "dsat", "complaint"), ("b", "dsat", "revision"))
    labels = build_labels(("a", "dsat", 1.0, "x"), ("b", "none", 1.0, "x"))
    figures = measure_mining_accuracy(signals, labels, SHIPPED_WEIGHTS, min_confidence=0.1, seed=1)
    assert figures["decisions"]["dsat"]["precision"]["value"] == 1.0
    assert figures["miners"]["rules"]["dsat"]["precision"]["value"] == 0.5
    assert figures["categories"]["revision"]["dsat"]["precision"]["value"] == 0.0
    assert (figures["n_labels"], figures["n_exchanges"], figures["n_people"]) == (2, 2, 2)


def test_decision_is_by_weights_that_never_saw_its_label(build_signals):
    labels = build_labels(*((f"c{i}", "none", 1.0, "x") for i in range(40)), ("z", "dsat", 1.0, "x"))
    signals = build_signals(*((f"c{i}", "dsat", "complaint") for i in range(40)), ("z", "dsat", "complaint"))
    decided = decide_out_of_fold(signals, labels, SHIPPED_WEIGHTS).filter(conversation_id="z")["confidence"].item()
    other = decide_out_of_fold(signals, labels.with_columns(label=pl.lit("none")), SHIPPED_WEIGHTS)
    assert decided == other.filter(conversation_id="z")["confidence"].item()


def test_labels_of_exchanges_no_longer_in_the_log_are_dropped():
    labels = pl.DataFrame([(c, 1, "sat", None, "ann") for c in "ab"], schema=schemas.LABELS, orient="row")
    sample = pl.DataFrame([(c, 1, 1, "silent", 8, 2) for c in "ab"], schema=schemas.LABEL_SAMPLE, orient="row")
    in_log = labels.head(1).select("conversation_id", "reply_index", user_key=pl.lit(None, dtype=pl.String))
    assert prepare_labels(labels, sample, in_log).select("conversation_id", "user_key", "weight").rows() == [
        ("a", "a", 8.0)
    ]


@pytest.mark.parametrize(("right", "closes"), [(18, False), (12, True)])
def test_gate_closes_when_the_precision_is_not_shown(build_signals, right, closes):
    labels = build_labels(*((f"c{i:02}", "dsat" if i < right else "none", 1.0, "x") for i in range(20)))
    signals = build_signals(*((f"c{i:02}", "dsat", "complaint") for i in range(20)))
    figures = {"decisions": measure_by_label(drop_weak(signals), labels, 1)}
    low = figures["decisions"]["dsat"]["precision"]["low"]
    assert (low < 0.5) is closes
    check_precision(figures, {"dsat": None, "sat": 0.9})
    if closes:
        with pytest.raises(DataError, match=r"precision of 'dsat' is 0\.60 \[0\.39, 0\.78\] on 20 labelled exchanges"):
            check_precision(figures, {"dsat": 0.5, "sat": None})
    else:
        check_precision(figures, {"dsat": 0.5, "sat": None})
