"""The ensemble: decisions and their probabilities, and weights that labels move within limits."""

import math

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.feedback.ensemble import SHIPPED_WEIGHTS, BaseRates, EnsembleWeights, decide_replies, refit_weights

HALF = EnsembleWeights(
    version="t",
    provenance="test",
    base_rates=BaseRates(sat=0.2, dsat=0.1),
    weights={"rules/complaint": 2.0, "rules/positive": 3.0, "rephrase": 1.0},
    other=0.5,
)


def row(miner, category, label="dsat", *, confidence=1.0, reply=1, conversation="c"):
    sign = 1 if label == "sat" else -1
    return {
        "conversation_id": conversation,
        "reply_index": reply,
        "evidence_index": reply + 1,
        "label": label,
        "category": category,
        "rule": f"{category}_rule",
        "span": miner,
        "score": sign * 0.4,
        "confidence": confidence,
        "miner": miner,
        "version": "1",
    }


def table(*rows):
    return pl.DataFrame(list(rows), schema=schemas.FEEDBACK)


def test_log_odds_of_miners_are_added_to_the_base_rate():
    # logit(.1) = -ln 9; complaint .5 · 2 = 1, rephrase 1 · 1 = 1: P = 1 / (1 + 9 e^-2)
    decided = decide_replies(table(row("rules", "complaint", confidence=0.5), row("rephrase", "rephrase")), HALF)
    assert decided.select("label", "miner", "version").rows() == [("dsat", "ensemble", "t")]
    assert decided["confidence"].item() == pytest.approx(1 / (1 + 9 * math.exp(-2)))
    assert decided["score"].item() == -decided["confidence"].item()


def test_only_the_strongest_signal_of_a_miner_counts():
    one = decide_replies(table(row("rules", "complaint"), row("rules", "clarification")), HALF)
    assert one["confidence"].item() == pytest.approx(1 / (1 + 9 * math.exp(-2)))


def test_decision_describes_the_strongest_signal_of_the_winning_side():
    decided = decide_replies(
        table(row("rephrase", "rephrase"), row("rules", "positive", "sat"), row("unweighted", "odd", "sat")), HALF
    )
    assert decided.select("label", "category", "rule", "span", "evidence_index").rows() == [
        ("sat", "positive", "positive_rule", "rules", 2)
    ]  # 3 + 0.5 - 1 = 2.5 on the satisfied side: logit(.2) = -ln 4
    assert decided["confidence"].item() == pytest.approx(1 / (1 + 4 * math.exp(-2.5)))


def test_signals_that_cancel_and_no_signals_give_no_decision():
    weights = HALF.model_copy(update={"weights": {"a": 1.0, "b": 1.0}})
    assert decide_replies(table(row("a", "x", "sat"), row("b", "x")), weights).is_empty()
    assert decide_replies(table(), HALF).schema == schemas.FEEDBACK


def test_shipped_weights_order_the_kinds_of_evidence():
    def decide_alone(miner, category, confidence):
        return decide_replies(table(row(miner, category, confidence=confidence)), SHIPPED_WEIGHTS)["confidence"].item()

    rating, complaint, revision = (
        decide_alone("explicit", "rating", 1.0),
        decide_alone("rules", "complaint", 0.9),
        decide_alone("rules", "revision", 0.5),
    )
    assert rating > 0.9 > complaint > 0.7 > 0.3 > revision > 0.15


def build_labels(labels):
    rows = [{"conversation_id": f"c{i}", "reply_index": 1, "label": x, "weight": 1.0} for i, x in enumerate(labels)]
    return pl.DataFrame(rows, schema_overrides={"reply_index": pl.Int32})


def test_labels_raise_right_weights_and_lower_wrong_ones():
    signals = table(*(row("rules", "complaint", conversation=f"c{i}") for i in range(20)))
    right, wrong = (
        refit_weights(signals, build_labels([label] * 20), HALF).weights["rules/complaint"]
        for label in ("dsat", "none")
    )
    assert wrong < HALF.weights["rules/complaint"] < right
    assert refit_weights(signals, build_labels(["dsat"] * 20), HALF).weights["rephrase"] == HALF.weights["rephrase"]


def test_refitted_weights_maximise_the_posterior():
    # no signals: the share of dsat is fitted against the prior alone; the gradient at the optimum is 0
    fitted = refit_weights(table(), build_labels(["dsat", "none", "none"]), HALF).base_rates
    sat, dsat = (math.log(x / (1 - x)) for x in (fitted.sat, fitted.dsat))

    def loss(s, d):
        p, q = 1 / (1 + math.exp(-s)), 1 / (1 + math.exp(-d))
        prior = (s - math.log(0.25)) ** 2 / 2 + (d - math.log(1 / 9)) ** 2 / 2
        return -math.log(q) - 2 * math.log(1 - p - q) + prior

    best = loss(sat, dsat)
    assert all(best <= loss(sat + s, dsat + d) + 1e-9 for s in (-0.05, 0, 0.05) for d in (-0.05, 0, 0.05))


def test_weights_stay_as_shipped_without_labels():
    assert refit_weights(table(), build_labels([]).head(0), HALF) is HALF
