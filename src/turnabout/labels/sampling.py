"""Samples of exchanges for people to judge, and weights of their labels.

With the weights, labels of a sample represent the whole log.
"""

import polars as pl

from turnabout.core import schemas
from turnabout.core.conversations import REPLY_KEY, rank_by_hash
from turnabout.feedback.signals import ENSEMBLE

#: The stratum of exchanges without any signal, and its share of a sample: what the miners miss is there.
SILENT, SILENT_SHARE = "silent", 1 / 3


def draw_sample(
    candidates: pl.DataFrame, feedback: pl.DataFrame, drawn_before: pl.DataFrame, *, size: int, seed: int
) -> pl.DataFrame:
    """Draw a stratified random sample of at most `size` candidates.

    The rows are `schemas.LABEL_SAMPLE`. Candidates in `drawn_before` are not drawn again. The strata are the label and
    category of an exchange's most confident signal, and `SILENT`. Each category gets the same share, or all it has.
    Within a stratum the order is a hash of the ids, so that a seed repeats the sample.
    """
    fresh = assign_strata(candidates.join(drawn_before, on=REPLY_KEY, how="anti"), feedback)
    n_drawn = allocate_sample(dict(fresh.group_by("stratum").len().iter_rows()), size)
    ranked = fresh.sort(rank_by_hash(seed, *REPLY_KEY), *REPLY_KEY)
    rank = pl.int_range(pl.len(), dtype=pl.Int32).over("stratum")
    wanted = pl.col("stratum").replace_strict(n_drawn, default=0, return_dtype=pl.Int32)
    drawn = ranked.with_columns(n_stratum=pl.len().over("stratum").cast(pl.Int32), n_drawn=wanted).filter(rank < wanted)
    number = 1 + (int(drawn_before["draw"].max()) if drawn_before.height else 0)  # type: ignore[arg-type]
    return drawn.with_columns(draw=pl.lit(number, dtype=pl.Int32)).select(list(schemas.LABEL_SAMPLE)).sort(REPLY_KEY)


def assign_strata(candidates: pl.DataFrame, feedback: pl.DataFrame) -> pl.DataFrame:
    """Return the candidates' `REPLY_KEY` and `stratum`.

    A stratum is "dsat/complaint", … or `SILENT`.
    """
    most_confident = (
        feedback.filter(pl.col("miner") != ENSEMBLE)
        .sort(*REPLY_KEY, "confidence", "label", "category", descending=[False, False, True, False, False])
        .unique(REPLY_KEY, keep="first", maintain_order=True)
        .select(*REPLY_KEY, stratum=pl.concat_str("label", "category", separator="/"))
    )
    joined = candidates.select(REPLY_KEY).join(most_confident, on=REPLY_KEY, how="left", maintain_order="left")
    return joined.with_columns(pl.col("stratum").fill_null(SILENT))


def allocate_sample(sizes: dict[str, int], size: int) -> dict[str, int]:
    """Return how many exchanges to draw of each stratum.

    `SILENT` gets `SILENT_SHARE` of the sample, and the other strata share the rest evenly. What a small stratum lacks
    goes to larger ones.
    """
    n_signalled = sum(n for stratum, n in sizes.items() if stratum != SILENT)
    n_silent = min(sizes.get(SILENT, 0), max(round(size * SILENT_SHARE), size - n_signalled))
    n_drawn, remaining = {SILENT: n_silent}, size - n_silent
    smallest_first = sorted((n, stratum) for stratum, n in sizes.items() if stratum != SILENT)
    for i, (n, stratum) in enumerate(smallest_first):
        n_drawn[stratum] = min(n, remaining // (len(smallest_first) - i))
        remaining -= n_drawn[stratum]
    return n_drawn


def select_unjudged(sample: pl.DataFrame, labels: pl.DataFrame, annotator: str) -> pl.DataFrame:
    """Return the drawn exchanges that this annotator has not judged yet."""
    judged = labels.filter(pl.col("annotator") == annotator)
    return sample.join(judged, on=REPLY_KEY, how="anti")


def add_weights(labels: pl.DataFrame, sample: pl.DataFrame) -> pl.DataFrame:
    """Add `weight`: the number of exchanges that each label stands for.

    With these weights, weighted sums are unbiased. In a stratum with N exchanges, m of whose n drawn ones were judged,
    each judged one stands for N / m (Horvitz & Thompson 1952; the judged ones count as a random part of the drawn ones,
    because the page shuffles). A later draw is from the exchanges that earlier draws left, so its estimate of a total
    counts earlier judgements as themselves. The draws' estimates are averaged with their numbers of judged exchanges as
    weights. Several judgements of one exchange share its weight.
    """
    judged = labels.select(REPLY_KEY).unique().join(sample, on=REPLY_KEY)
    n_judged = pl.len().over("draw", "stratum")
    draw_shares = judged.group_by("draw").agg(share=pl.len() / judged.height)
    later_share = pl.col("share").sum() - pl.col("share").cum_sum()
    draw_shares = draw_shares.sort("draw").with_columns(later_share=later_share)
    weight = (pl.col("share") * pl.col("n_stratum") + pl.col("later_share") * pl.col("n_drawn")) / n_judged
    weights = judged.join(draw_shares, on="draw").with_columns(weight=weight).select(*REPLY_KEY, "weight")
    return labels.join(weights, on=REPLY_KEY, maintain_order="left").with_columns(
        pl.col("weight") / pl.len().over(REPLY_KEY)
    )
