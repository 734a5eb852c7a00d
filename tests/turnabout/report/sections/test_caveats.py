"""What the page says against itself."""

import polars as pl

from turnabout.intents.wording import NO_INTENT
from turnabout.report import Inputs, render_page

WITHHELD = "None were written (<code>intend.detail: none</code>)"


def test_withheld_intents_are_told_and_none_is_shown_as_an_example(run: Inputs) -> None:
    told_nothing = run.intents.with_columns(intent=pl.lit(NO_INTENT), model=pl.lit(None, pl.String))
    metrics = {**run.metrics, "intend": {"detail": "none", "n_intents": 2, "n_fallback": 0}}
    page = render_page(run._replace(intents=told_nothing, metrics=metrics))
    assert WITHHELD in page
    assert "Intents it was given" not in page
    assert NO_INTENT not in page


def test_written_intents_are_not_said_to_be_withheld(run: Inputs) -> None:
    page = render_page(run)
    assert WITHHELD not in page
    assert "1 of 2 conversations carry a general intent" in page
