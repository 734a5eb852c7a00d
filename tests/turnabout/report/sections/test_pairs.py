from typing import Any

import polars as pl

from turnabout.report import Inputs, render_page
from turnabout.report.sections.pairs import (
    count_critiques,
    count_outcomes,
    describe_strength,
    select_pairs,
    summarise_arm,
)
from turnabout.stats.estimate import missing_estimate


def replace_pairs(run: Inputs, *columns: dict[str, Any], **metrics: Any) -> Inputs:
    """Return the run with other pairs and metrics of arm drift.

    It has a pair for each of `columns`.
    """
    (pair,) = run.pairs["follow_up"].iter_slices()
    rows = [pair.with_columns(pl.lit(value).alias(name) for name, value in row.items()) for row in columns]
    drift = pl.concat(rows, how="vertical_relaxed").cast(dict(pair.schema))  # type: ignore[arg-type]
    return run._replace(pairs={**run.pairs, "drift": drift}, metrics={**run.metrics, "build_pairs/drift": metrics})


def test_count_critiques_counts_kept_critiques_of_an_arm_that_reads_them(run: Inputs) -> None:
    # drift built on reply 1 of c1 (critique kept) and of c2 (dropped as too short); follow_up reads no critiques
    assert count_critiques(run, "drift") == {"n": 2, "kept": 1}
    assert count_critiques(run, "follow_up") is None
    assert "1 of 2 criticised replies had a critique that passed its checks" in render_page(run)


def test_reward_accuracies_have_an_interval_or_a_reason(run: Inputs) -> None:
    # 3 of 4 right; Wilson 95 %, z = 1.96: (0.75 + z²/8 ± z·√(0.75·0.25/4 + z²/64)) / (1 + z²/4) = [0.30, 0.95]
    page = render_page(run)

    assert '0.75<span class="interval">[0.30, 0.95]</span>' in page
    assert "not measured: no pair in this split" in page


def test_select_pairs_puts_a_second_pair_of_a_conversation_last(run: Inputs) -> None:
    (pair,) = run.pairs["follow_up"].iter_slices()
    built = pl.concat(
        pair.with_columns(pair_id=pl.lit(name), conversation_id=pl.lit(talk), margin=margin)
        for name, talk, margin in (("1", "a", 0.9), ("2", "a", 0.8), ("3", "b", 0.1))
    )

    assert [row["pair_id"] for row in select_pairs(built, 3)] == ["1", "3", "2"]


def test_count_outcomes_groups_reasons_that_differ_in_an_id(run: Inputs) -> None:
    contradiction = {"keep": False, "reason": "contradiction: drift:c1:3 prefers the opposite"}
    rows: tuple[dict[str, Any], ...] = (
        {"reason": "softened: strength"},
        contradiction,
        contradiction | {"reason": "contradiction: drift:c2:3 prefers the opposite"},
        {},
    )
    summary = summarise_arm(replace_pairs(run, *rows, {"keep": False, "reason": "empty"}), "drift")

    assert [(row["outcome"], row["n"], row["share"]) for row in summary["outcomes"]] == [
        ("kept", 2, 0.4),
        ("dropped: contradiction: another pair prefers the opposite", 2, 0.4),
        ("dropped: empty", 1, 0.2),
    ]
    assert summary["changed"] == {"softened: strength": 1}
    assert count_outcomes(run.pairs["drift"].clear()) == []


def test_page_shows_lengths_measures_and_people_if_measured(run: Inputs) -> None:
    longer = {"value": 0.75, "low": 0.5, "high": 0.9, "n": 4}
    spread = {"n": 2, "mean": 0.5, "low": -1.0, "median": 0.25, "high": 2.0}
    page = render_page(
        replace_pairs(
            run,
            {"margin": -1.0, "strength_mean": 0.5},
            {"margin": 2.0, "strength_mean": 0.25},
            lengths={"chosen_is_longer": longer, "median_difference": 12.0},
            people={"agreement": longer, "kappa": longer | {"value": 0.5, "low": 0.1}},
            difficulty=spread,
            ranked_wrongly_before_training=0.5,
        )
    )

    assert '0.75<span class="interval">[0.50, 0.90]</span></td><td class="n">+12.0</td>' in page
    assert '0.50<span class="interval">[0.10, 0.90]</span>' in page
    assert '<td class="n">−1.00</td><td class="n">0.25</td><td class="n">2.00</td>' in page
    assert "the policy ranks 50.0 % of the pairs wrongly" in page
    assert "Kept pairs of drift by strength: 2 from 0.25 to 0.50" in page  # strength before margin


def test_page_says_once_that_there_are_no_human_preferences(run: Inputs) -> None:
    none = missing_estimate("people compared other replies").to_dict()
    page = render_page(replace_pairs(run, {}, people={"agreement": none, "kappa": none}))

    assert page.count("the log has no choice of a person between the two replies") == 1
    assert "kappa</a> with people" not in page


def test_page_shows_a_single_reply_as_liked_or_disliked(run: Inputs) -> None:
    page = render_page(replace_pairs(run, {"rejected": None}, {"chosen": None, "conversation_id": "c9"}))

    assert "<b>liked</b>What kind of films do you like?" in page
    assert "<b>disliked</b>I like cooking pasta." in page


def test_describe_strength_says_what_was_changed_or_why_nothing() -> None:
    agreement = {"value": 0.8, "low": 0.7, "high": 0.9, "n": 100}
    report = {"agreement_with_unseen_pairs": agreement, "n_wrong": 1, "n_ambiguous": 20}

    assert describe_strength(None) is None
    assert describe_strength(report) == (
        "its heads agree with 80.0 % of unseen pairs; 1 label was classified as wrong, 20 as ambiguous"
    )
    assert describe_strength({"reason": "too few"}) == "nothing was changed: too few"


def test_page_folds_the_details_of_many_arms(run: Inputs) -> None:
    names = [f"arm_{i}" for i in range(4)]
    many = run._replace(
        arms=dict.fromkeys(names, "models/user"),
        pairs=dict.fromkeys(names, run.pairs["drift"]),
        rollouts={"untrained": run.rollouts["untrained"], **dict.fromkeys(names, run.rollouts["drift"])},
        assistant_curves=dict.fromkeys(names, run.assistant_curves["drift"]),
    )

    assert render_page(many).count('<details class="arm">') == 4
    assert render_page(run).count('<details class="arm" open>') == 2
