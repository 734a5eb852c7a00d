"""Tests of the section on limitations."""

import polars as pl

from turnabout.intents.wording import NO_INTENT
from turnabout.report import Inputs, render_page
from turnabout.report.sections.caveats import count_cut_off

WITHHELD = "None were written (<code>intend.detail: none</code>)"


def test_page_says_that_intents_are_withheld_and_shows_none(run: Inputs) -> None:
    withheld = run.intents.with_columns(intent=pl.lit(NO_INTENT), model=pl.lit(None, pl.String))
    metrics = {**run.metrics, "intend": {"detail": "none", "n_intents": 2, "n_fallback": 0}}
    page = render_page(run._replace(intents=withheld, metrics=metrics))
    assert WITHHELD in page
    assert "Example intents" not in page
    assert NO_INTENT not in page


def test_page_does_not_call_written_intents_withheld(run: Inputs) -> None:
    page = render_page(run)
    assert WITHHELD not in page
    assert "1 of 2 conversations have a general intent" in page


def test_page_counts_texts_that_are_cut_off(run: Inputs) -> None:
    metrics = {
        **{stage: entry for stage, entry in run.metrics.items() if not stage.startswith(("simulate/", "build_pairs/"))},
        "build_pairs/drift": {"n_replies": 5, "n_replies_cut_off": 2},
        "simulate/drift": {**run.metrics["simulate/drift"], "n_conversations": 4, "ended_by": {"cut_off": 1}},
    }
    page = render_page(run._replace(metrics=metrics))
    assert "2 of 5 replies that the policy wrote for pairs" in page
    assert "1 of 4 simulated conversations, which end there." in page


def test_page_without_cut_off_texts_says_nothing_of_them(run: Inputs) -> None:
    assert count_cut_off({"simulate/drift": {"n_conversations": 4, "ended_by": {"max_turns": 4}}}) == []
    assert "Cut off." not in render_page(run)
