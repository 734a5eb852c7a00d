from typing import Any

import polars as pl

from turnabout.report import Inputs, render_page
from turnabout.report.sections.pairs import summarise_arm, count_critiques, select_pairs, count_outcomes, describe_strength
from turnabout.stats.estimate import missing_estimate


def with_pairs(run: Inputs, *columns: dict[str, Any], **told: Any) -> Inputs:
    """The run with a pair of arm drift for each of `columns`, and `told` in the arm's metrics."""
    (pair,) = run.pairs["follow_up"].iter_slices()
    rows = [pair.with_columns(pl.lit(value).alias(name) for name, value in row.items()) for row in columns]
    drift = pl.concat(rows, how="vertical_relaxed").cast(dict(pair.schema))  # type: ignore[arg-type]
    return run._replace(pairs={**run.pairs, "drift": drift}, metrics={**run.metrics, "build_pairs/drift": told})


def test_replies_with_a_kept_critique_are_counted_where_an_arm_reads_critiques(run: Inputs) -> None:
    # drift built on reply 1 of c1 (critique kept) and of c2 (dropped as too short); follow_up reads no critiques
    assert count_critiques(run, "drift") == {"n": 2, "kept": 1}
    assert count_critiques(run, "follow_up") is None
    assert "1 of 2 criticised replies had a critique that passed its checks" in render_page(run)


def test_accuracies_of_the_reward_model_come_with_interval_or_reason(run: Inputs) -> None:
    # 3 of 4 right; Wilson 95 %, z = 1.96: (0.75 + z²/8 ± z·√(0.75·0.25/4 + z²/64)) / (1 + z²/4) = [0.30, 0.95]
    page = render_page(run)

    assert '0.75<span class="interval">[0.30, 0.95]</span>' in page
    assert "not measured: no pair in this split" in page


def test_another_conversation_comes_before_a_second_pair_of_the_same(run: Inputs) -> None:
    (pair,) = run.pairs["follow_up"].iter_slices()
    built = pl.concat(
        pair.with_columns(pair_id=pl.lit(name), conversation_id=pl.lit(talk), margin=margin)
        for name, talk, margin in (("1", "a", 0.9), ("2", "a", 0.8), ("3", "b", 0.1))
    )

    assert [row["pair_id"] for row in select_pairs(built, 3)] == ["1", "3", "2"]


def test_every_candidate_has_its_fate_and_reasons_are_counted_by_kind(run: Inputs) -> None:
    contradiction = {"keep": False, "reason": "contradiction: drift:c1:3 prefers the opposite"}
    rows = (
        {"reason": "softened: strength"},
        contradiction,
        contradiction | {"reason": "contradiction: drift:c2:3"},
        {},
    )
    told = summarise_arm(with_pairs(run, *rows, {"keep": False, "reason": "empty"}), "drift")

    assert [(row["fate"], row["n"], row["share"]) for row in told["fates"]] == [
        ("kept", 2, 0.4),
        ("contradiction", 2, 0.4),
        ("empty", 1, 0.2),
    ]
    assert told["changed"] == {"softened": 1}
    assert count_outcomes(run.pairs["drift"].clear()) == []


def test_lengths_measures_and_people_are_shown_where_they_were_measured(run: Inputs) -> None:
    longer = {"value": 0.75, "low": 0.5, "high": 0.9, "n": 4}
    spread = {"n": 2, "mean": 0.5, "low": -1.0, "median": 0.25, "high": 2.0}
    page = render_page(
        with_pairs(
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


def test_a_log_without_human_preferences_says_so_once(run: Inputs) -> None:
    none = missing_estimate("people compared other replies").to_dict()
    page = render_page(with_pairs(run, {}, people={"agreement": none, "kappa": none}))

    assert page.count("the log has no choice of a person between both replies") == 1
    assert "kappa</a> with people" not in page


def test_a_single_reply_is_shown_as_liked_or_disliked(run: Inputs) -> None:
    page = render_page(with_pairs(run, {"rejected": None}, {"chosen": None, "conversation_id": "c9"}))

    assert "<b>liked</b>What kind of films do you like?" in page
    assert "<b>disliked</b>I like cooking pasta." in page


def test_strength_says_what_was_done_or_why_nothing_was() -> None:
    agreed = {"value": 0.8, "low": 0.7, "high": 0.9, "n": 100}
    found = {"agreement_with_unseen_pairs": agreed, "n_wrong": 1, "n_ambiguous": 20}

    assert describe_strength(None) is None
    assert describe_strength(found) == (
        "its heads agree with 80.0 % of unseen pairs; 1 label taken to be wrong, 20 to be ambiguous"
    )
    assert describe_strength({"reason": "too few"}) == "nothing was done: too few"


def test_what_is_told_of_many_arms_is_folded_up(run: Inputs) -> None:
    names = [f"arm_{i}" for i in range(4)]
    many = run._replace(
        arms=dict.fromkeys(names, "models/user"),
        pairs=dict.fromkeys(names, run.pairs["drift"]),
        rollouts={"untrained": run.rollouts["untrained"], **dict.fromkeys(names, run.rollouts["drift"])},
        assistant_curves=dict.fromkeys(names, run.assistant_curves["drift"]),
    )

    assert render_page(many).count('<details class="arm">') == 4
    assert render_page(run).count('<details class="arm" open>') == 2
