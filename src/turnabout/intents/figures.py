"""The figures of a table of intents: how often they give words away, how long they are, what could not be used."""

from typing import Any

import polars as pl

from turnabout.intents.wording import PREFIX
from turnabout.stats.proportion import estimate_proportion
from turnabout.text.word_ngrams import extract_words


def summarize_intents(intents: pl.DataFrame, detail: str) -> dict[str, Any]:
    """Counts, leak rates with 95 % intervals, and lengths of a table of intents (`schemas.INTENTS`).

    Leaks are counted among the answers first given and among those that came last, after asking again, used or not.
    Lengths are words after the beginning that all share, of intents that an author wrote.
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
