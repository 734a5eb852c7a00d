"""Intent overlap: the share of a message that is copied from the intent.

People hardly copy. Naous et al. 2025, §4 ("intent decomposition"): |content(turn) ∩ content(intent)| / |content(turn)|,
in percent.
"""

from collections.abc import Sequence

import polars as pl

from turnabout.intents.wording import NO_INTENT, PREFIX
from turnabout.stats.estimate import Bootstrap, Estimate
from turnabout.text.content_words import extract_content_words


def estimate_overlap(
    texts: Sequence[str], intents: Sequence[str], users: Sequence[str], bootstrap: Bootstrap
) -> Estimate:
    """Estimate the mean share of a turn's content words that are in its intent.

    In percent; lower means less copying. Content words are sets of lower-case words without stop words; the words
    with which every intent begins are not counted as the intent's. A turn without content words has overlap 0, and so
    does every turn where the intent is withheld.
    """
    turns = pl.DataFrame({"text": texts, "intent": intents}, schema={"text": pl.String, "intent": pl.String})
    word_sets = turns.select(
        turn_words=extract_content_words("text").list.unique(),
        intent_words=extract_content_words(pl.col("intent").str.strip_prefix(PREFIX).str.strip_prefix(NO_INTENT)),
    )
    n_shared = pl.col("turn_words").list.set_intersection("intent_words").list.len()
    share = word_sets.select(n_shared / pl.col("turn_words").list.len()).to_series().fill_nan(0)
    return bootstrap.mean(100 * share, users)
