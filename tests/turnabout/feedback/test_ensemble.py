"""Ensemble: several signals become one decision with a probability; labels move the weights, not without bound."""

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


def row(miner, category, label="dsat", confidence=1.0, reply=1, conversation="c"):
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


def test_log_odds_add_up_over_miners_from_the_base_rate():
    # logit(.1) = -ln 9; complaint .5 · 2 = 1, rephrase 1 · 1 = 1: P = 1 / (1 + 9 e^-2)
    decided = decide_replies(table(row("rules", "complaint", confidence=0.5), row("rephrase", "rephrase")), HALF)
    assert decided.select("label", "miner", "version").rows() == [("dsat", "ensemble", "t")]
    assert decided["confidence"].item() == pytest.approx(1 / (1 + 9 * math.exp(-2)))
    assert decided["score"].item() == -decided["confidence"].item()


def test_one_miner_speaks_once_with_its_strongest_signal():
    one = decide_replies(table(row("rules", "complaint"), row("rules", "clarification")), HALF)
    assert one["confidence"].item() == pytest.approx(1 / (1 + 9 * math.exp(-2)))


def test_category_rule_span_and_evidence_come_from_the_strongest_on_the_winning_side():
    decided = decide_replies(
        table(row("rephrase", "rephrase"), row("rules", "positive", "sat"), row("unheard", "odd", "sat")), HALF
    )
    assert decided.select("label", "category", "rule", "span", "evidence_index").rows() == [
        ("sat", "positive", "positive_rule", "rules", 2)
    ]  # 3 + 0.5 - 1 = 2.5 on the satisfied side: logit(.2) = -ln 4
    assert decided["confidence"].item() == pytest.approx(1 / (1 + 4 * math.exp(-2.5)))


def test_signals_that_cancel_decide_nothing_and_no_signal_gives_an_empty_table():
    weights = HALF.model_copy(update={"weights": {"a": 1.0, "b": 1.0}})
    assert decide_replies(table(row("a", "x", "sat"), row("b", "x")), weights).is_empty()
    assert decide_replies(table(), HALF).schema == schemas.FEEDBACK


def test_the_weights_that_ship_order_the_kinds_of_evidence():
    def alone(miner, category, confidence):
        return decide_replies(table(row(miner, category, confidence=confidence)), SHIPPED_WEIGHTS)["confidence"].item()

    strong, said, weak = (
        alone("explicit", "rating", 1.0),
        alone("rules", "complaint", 0.9),
        alone("rules", "revision", 0.5),
    )
    assert strong > 0.9 > said > 0.7 > 0.3 > weak > 0.15


def judged(labels):
    rows = [{"conversation_id": f"c{i}", "reply_index": 1, "label": x, "weight": 1.0} for i, x in enumerate(labels)]
    return pl.DataFrame(rows, schema_overrides={"reply_index": pl.Int32})


def test_labels_raise_what_is_right_and_lower_what_is_wrong():
    found = table(*(row("rules", "complaint", conversation=f"c{i}") for i in range(20)))
    right, wrong = (refit_weights(found, judged([label] * 20), HALF).weights["rules/complaint"] for label in ("dsat", "none"))
    assert wrong < HALF.weights["rules/complaint"] < right
    assert refit_weights(found, judged(["dsat"] * 20), HALF).weights["rephrase"] == HALF.weights["rephrase"]


def test_a_refit_is_the_maximum_of_the_posterior():
    # no signals: the share of dsat is fitted against the prior alone; the gradient at the optimum is 0
    fitted = refit_weights(table(), judged(["dsat", "none", "none"]), HALF).base_rates
    sat, dsat = (math.log(x / (1 - x)) for x in (fitted.sat, fitted.dsat))

    def loss(s, d):
        p, q = 1 / (1 + math.exp(-s)), 1 / (1 + math.exp(-d))
        prior = (s - math.log(0.25)) ** 2 / 2 + (d - math.log(1 / 9)) ** 2 / 2
        return -math.log(q) - 2 * math.log(1 - p - q) + prior

    best = loss(sat, dsat)
    assert all(best <= loss(sat + s, dsat + d) + 1e-9 for s in (-0.05, 0, 0.05) for d in (-0.05, 0, 0.05))


def test_without_labels_the_weights_stay_as_they_ship():
    assert refit_weights(table(), judged([]).head(0), HALF) is HALF
