"""All miners over one log: what each found, once each, and what it comes to together."""

from collections.abc import Iterable
from functools import partial
from typing import Annotated, Any, NamedTuple

import polars as pl
from pydantic import BeforeValidator, Field, SerializeAsAny

from turnabout.core import schemas
from turnabout.core.config import Count, Section, Share, resolve
from turnabout.feedback.base import Miner
from turnabout.feedback.ensemble import Weights, decide
from turnabout.feedback.miners import MINERS
from turnabout.feedback.signals import ENSEMBLE, decisions
from turnabout.generation.registry import AnyAuthor

#: Two signals of one miner that agree in these say the same thing.
SAME = ["conversation_id", "reply_index", "evidence_index", "label", "category", "miner"]


AnyMiner = Annotated[SerializeAsAny[Miner], BeforeValidator(partial(resolve, MINERS, "miner"))]


class MinPrecision(Section):
    """Least precision by label, reached by the lower end of its 95 % interval; null asks for none."""

    sat: Share | None
    dsat: Share | None


class Mine(Section):
    miners: list[AnyMiner] = Field(min_length=1)
    min_confidence: Share
    """Decisions on a reply that are less probable than this are counted but not written."""
    min_precision: MinPrecision
    """What people's labels, where there are any, must show of decisions before pairs are built on them."""
    model: str
    """Output of the graph whose likelihoods miners use which need a language model; not opened unless one does."""
    author: AnyAuthor
    """Who reads follow-ups for a miner that asks questions about them (`rubric`)."""
    batch_size: Count
    """Prompts at once of that model."""


class Mined(NamedTuple):
    """Signals and decisions (`schemas.FEEDBACK`, sorted) and how many rows were left out, by reason."""

    signals: pl.DataFrame
    n_below_confidence: int
    n_duplicates: int


def found_in(exchanges: pl.DataFrame, miners: Iterable[Miner]) -> pl.DataFrame:
    """What the miners find in some exchanges (`conversations.EXCHANGES`) of whole conversations, in any order."""
    return pl.concat([schemas.FEEDBACK.to_frame(), *(miner.mine(exchanges) for miner in miners)])


def mined(found: pl.DataFrame, weights: Weights, min_confidence: float) -> Mined:
    """The signals of a whole log, once each, and the ensemble's decisions of at least `min_confidence`.

    Of two signals of one miner that say the same, the more confident one stays.
    """
    best_first = found.sort(*SAME, "confidence", "span", "rule", descending=[False] * len(SAME) + [True, False, False])
    distinct = best_first.unique(SAME, keep="first", maintain_order=True)
    decided = decide(distinct, weights)
    sure = decided.filter(pl.col("confidence") >= min_confidence)
    rows = pl.concat([distinct, sure]).sort(*SAME)
    return Mined(rows, decided.height - sure.height, found.height - distinct.height)


def summary(n_exchanges: int, found: Mined) -> dict[str, Any]:
    """The figures of a mining run, with a warning where nothing was decided. Signals are the miners', not the sum."""
    signals = found.signals.filter(pl.col("miner") != ENSEMBLE)
    decided = decisions(found.signals)
    return {
        "n_exchanges": n_exchanges,
        "n_signals": signals.height,
        "n_sat": decided.filter(label="sat").height,
        "n_dsat": decided.filter(label="dsat").height,
        "signals_by_category": _counts(signals["category"]),
        "signals_by_miner": _counts(signals["miner"]),
        "decisions_by_category": _counts(decided["category"]),
        "n_below_confidence": found.n_below_confidence,
        "n_duplicates": found.n_duplicates,
        "share_of_exchanges_with_signal": decided.height / n_exchanges if n_exchanges else None,
        "warnings": [] if decided.height else [_nothing_found(n_exchanges, found.n_below_confidence)],
    }


def _counts(values: pl.Series) -> dict[str, int]:
    return dict(values.value_counts().sort(values.name).iter_rows())


def _nothing_found(n_exchanges: int, n_below_confidence: int) -> str:
    return (
        f"no feedback found in {n_exchanges} exchanges ({n_below_confidence} decisions below mine.min_confidence); the "
        "rules know English only: lower mine.min_confidence, log ratings or reactions, or add a miner to mine.miners"
    )
