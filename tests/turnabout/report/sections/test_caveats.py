"""Tests of the section on limitations."""

import polars as pl

from turnabout.intents.wording import NO_INTENT
from turnabout.report import Inputs, render_page

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
