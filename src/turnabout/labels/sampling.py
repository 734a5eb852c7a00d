"""The exchanges that people are asked to judge, so drawn that the judgements speak for the whole log."""

import polars as pl

from turnabout.core import schemas
from turnabout.core.conversations import hash_rank
from turnabout.feedback.signals import ENSEMBLE

EXCHANGE = ["conversation_id", "reply_index"]

#: The stratum of exchanges that no miner says anything about, and its share of a sample: what the miners miss is there.
SILENT, SILENT_SHARE = "silent", 1 / 3


def draw(candidates: pl.DataFrame, feedback: pl.DataFrame, before: pl.DataFrame, size: int, seed: int) -> pl.DataFrame:
    """A stratified random sample of at most `size` candidates never drawn before, as rows of `schemas.LABEL_SAMPLE`.

    The strata are what the miners say of an exchange, in the words of the most confident, and silence. Each category
    gets the same share, or all it has; within a stratum the order is a hash of the ids, so a seed repeats the sample.
    """
    fresh = strata(candidates.join(before, on=EXCHANGE, how="anti"), feedback)
    shares = allocation(dict(fresh.group_by("stratum").len().iter_rows()), size)
    ranked = fresh.sort(hash_rank(seed, "conversation_id", "reply_index"), *EXCHANGE)
    rank = pl.int_range(pl.len(), dtype=pl.Int32).over("stratum")
    wanted = pl.col("stratum").replace_strict(shares, default=0, return_dtype=pl.Int32)
    drawn = ranked.with_columns(n_stratum=pl.len().over("stratum").cast(pl.Int32), n_drawn=wanted).filter(rank < wanted)
    number = 1 + (int(before["draw"].max()) if before.height else 0)  # type: ignore[arg-type]
    return drawn.with_columns(draw=pl.lit(number, dtype=pl.Int32)).select(list(schemas.LABEL_SAMPLE)).sort(EXCHANGE)


def strata(candidates: pl.DataFrame, feedback: pl.DataFrame) -> pl.DataFrame:
    """Candidates with their `stratum`: "dsat/complaint", …, or `SILENT`."""
    loudest = (
        feedback.filter(pl.col("miner") != ENSEMBLE)
        .sort(*EXCHANGE, "confidence", "label", "category", descending=[False, False, True, False, False])
        .unique(EXCHANGE, keep="first", maintain_order=True)
        .select(*EXCHANGE, stratum=pl.concat_str("label", "category", separator="/"))
    )
    named = candidates.select(EXCHANGE).join(loudest, on=EXCHANGE, how="left", maintain_order="left")
    return named.with_columns(pl.col("stratum").fill_null(SILENT))


def allocation(sizes: dict[str, int], size: int) -> dict[str, int]:
    """How many to draw of each stratum: `SILENT_SHARE` of silence, the rest evenly, what small ones lack to larger."""
    loud = sum(n for stratum, n in sizes.items() if stratum != SILENT)
    silent = min(sizes.get(SILENT, 0), max(round(size * SILENT_SHARE), size - loud))
    shares, left = {SILENT: silent}, size - silent
    waiting = sorted((n, stratum) for stratum, n in sizes.items() if stratum != SILENT)
    for i, (n, stratum) in enumerate(waiting):
        shares[stratum] = min(n, left // (len(waiting) - i))
        left -= shares[stratum]
    return shares


def to_judge(sample: pl.DataFrame, labels: pl.DataFrame, annotator: str) -> pl.DataFrame:
    """The drawn exchanges that this annotator has not judged yet."""
    done = labels.filter(pl.col("annotator") == annotator)
    return sample.join(done, on=EXCHANGE, how="anti")


def weighted(labels: pl.DataFrame, sample: pl.DataFrame) -> pl.DataFrame:
    """Labels with the `weight` that makes weighted sums unbiased: how many exchanges each stands for.

    Of a stratum with N exchanges, m of whose n drawn ones were judged, one stands for N / m (Horvitz & Thompson 1952,
    judged ones taken as a random part of the drawn: the page shuffles). A later draw comes from what earlier ones left,
    so that its estimate of a total counts earlier judgements as themselves; the draws' estimates are averaged by their
    numbers of judged exchanges. Several judgements of one exchange share its weight.
    """
    judged = labels.select(EXCHANGE).unique().join(sample, on=EXCHANGE)
    m = pl.len().over("draw", "stratum")
    shares = judged.group_by("draw").agg(share=pl.len() / judged.height)
    later = shares.sort("draw").with_columns(later=pl.col("share").sum() - pl.col("share").cum_sum())
    weight = (pl.col("share") * pl.col("n_stratum") + pl.col("later") * pl.col("n_drawn")) / m
    weights = judged.join(later, on="draw").with_columns(weight=weight).select(*EXCHANGE, "weight")
    return labels.join(weights, on=EXCHANGE, maintain_order="left").with_columns(
        pl.col("weight") / pl.len().over(EXCHANGE)
    )
