"""A page on which a person judges exchanges by keyboard; it holds all it needs and talks to nobody."""

from typing import Any

import polars as pl

from turnabout.labels.tables import CATEGORIES

#: What a judge sees of an exchange: both sides, and nothing of what the miners said.
SHOWN = ["conversation_id", "reply_index", "previous_user", "reply", "follow_up"]


def page(exchanges: pl.DataFrame, annotator: str) -> str:
    """The exchanges (`SHOWN`) as one HTML file: keys to judge, progress kept by the browser, export as CSV."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(loader=PackageLoader(__package__, "."), autoescape=True, undefined=StrictUndefined)
    content: dict[str, Any] = {"annotator": annotator, "exchanges": exchanges.select(SHOWN).to_dicts()}
    return environment.get_template("page.jinja").render(content=content, categories=CATEGORIES["dsat"])


def form(exchanges: pl.DataFrame, annotator: str) -> pl.DataFrame:
    """The exchanges as a table to fill in: `label` and `category` empty."""
    empty = pl.lit(None, dtype=pl.String)
    filled = exchanges.select(SHOWN).with_columns(label=empty, category=empty, annotator=pl.lit(annotator))
    return filled.select("conversation_id", "reply_index", "label", "category", "annotator", *SHOWN[2:])
