"""Intent overlap: how much of what is said first was only copied from the intent; people hardly do that.

Naous et al. 2025, §4 ("intent decomposition"): |content(turn) ∩ content(intent)| / |content(turn)|, in percent.
"""

from collections.abc import Sequence

import polars as pl

from turnabout.intents.wording import NO_INTENT, PREFIX
from turnabout.stats.estimate import Estimate, mean
from turnabout.text.content_words import content_words


def overlap(texts: Sequence[str], intents: Sequence[str], users: Sequence[str], resamples: int, seed: int) -> Estimate:
    """The mean over turns of the share of their content words that stand in the intent; lower is freer.

    Sets of lower-case words without stop words; the words every intent begins with are not counted as its own. A turn
    without content words gives nothing away: 0. Where the intent is withheld there is nothing to copy.
    """
    turns = pl.DataFrame({"text": texts, "intent": intents}, schema={"text": pl.String, "intent": pl.String})
    sets = turns.select(
        said=content_words("text").list.unique(),
        told=content_words(pl.col("intent").str.strip_prefix(PREFIX).str.strip_prefix(NO_INTENT)),
    )
    shared = pl.col("said").list.set_intersection("told").list.len()
    share = sets.select(shared / pl.col("said").list.len()).to_series().fill_nan(0)
    return mean(100 * share, users, resamples, seed)
