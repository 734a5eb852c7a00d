"""Metrics of a table of intents: leaks, lengths and fallbacks."""

from typing import Any

import polars as pl

from turnabout.intents.wording import PREFIX
from turnabout.stats.proportion import estimate_proportion
from turnabout.text.word_ngrams import extract_words


def summarize_intents(intents: pl.DataFrame, detail: str) -> dict[str, Any]:
    """Return counts, leak rates and lengths of a table of intents.

    `intents` has the schema `schemas.INTENTS`. Leak rates have 95 % intervals; they are given for the first answers and
    for the last answers after retries, usable or not. Lengths are the numbers of words after the fixed beginning, of
    intents written by a model.
    """
    asked = intents.filter(pl.col("tries") > 0)
    unused = asked.drop_nulls("reason")
    return {
        "detail": detail,
        "n_intents": intents.height,
        "n_asked_again": asked.filter(pl.col("tries") > 1).height,
        "n_fallback": unused.height,
        "fallback_by_reason": dict(unused.group_by("reason").len().sort("reason").iter_rows()),
        "leaks": {
            "first_answers": estimate_proportion(asked.filter("leaks_first").height, asked.height).to_dict(),
            "last_answers": estimate_proportion(asked.filter("leaks").height, asked.height).to_dict(),
        },
        "words": _summarize_lengths(asked.filter(pl.col("reason").is_null())),
    }


def _summarize_lengths(written: pl.DataFrame) -> dict[str, float | None]:
    length = extract_words(pl.col("intent").str.strip_prefix(PREFIX)).list.len()
    quantiles = {f"p{share:02}": length.quantile(share / 100, "linear") for share in (5, 50, 95)}
    return written.select(mean=length.mean(), **quantiles).row(0, named=True)
