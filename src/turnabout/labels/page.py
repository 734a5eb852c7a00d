"""Page and table on which people judge exchanges; neither needs a network."""

from typing import Any

import polars as pl

from turnabout.core.conversations import REPLY_KEY
from turnabout.labels.tables import CATEGORIES_BY_LABEL

#: Columns of an exchange that a judge sees: the texts of both sides, and nothing of what the miners found.
SHOWN_COLUMNS = [*REPLY_KEY, "previous_user", "reply", "follow_up"]


def render_page(exchanges: pl.DataFrame, annotator: str) -> str:
    """Render the exchanges (`SHOWN_COLUMNS`) as one HTML file.

    People judge by keyboard, the browser keeps their progress, and the page exports a CSV file.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(loader=PackageLoader(__package__, "."), autoescape=True, undefined=StrictUndefined)
    content: dict[str, Any] = {"annotator": annotator, "exchanges": exchanges.select(SHOWN_COLUMNS).to_dicts()}
    return environment.get_template("page.jinja").render(content=content, categories=CATEGORIES_BY_LABEL["dsat"])


def build_form(exchanges: pl.DataFrame, annotator: str) -> pl.DataFrame:
    """Build a table to fill in, with `label` and `category` empty."""
    empty = pl.lit(None, dtype=pl.String)
    form = exchanges.select(SHOWN_COLUMNS).with_columns(label=empty, category=empty, annotator=pl.lit(annotator))
    return form.select(*REPLY_KEY, "label", "category", "annotator", "previous_user", "reply", "follow_up")
