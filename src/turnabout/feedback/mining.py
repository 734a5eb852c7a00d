"""All miners over one log: what they found, once each, and what was left out."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import polars as pl

from turnabout import schemas
from turnabout.feedback.base import Miner

#: Two signals that agree in these say the same thing.
SAME = ["conversation_id", "reply_index", "evidence_index", "label", "category"]


class Mined(NamedTuple):
    """Signals (`schemas.FEEDBACK`, sorted) and how many were left out, by reason."""

    signals: pl.DataFrame
    n_below_confidence: int
    n_duplicates: int


def mine(exchanges: pl.DataFrame, miners: Iterable[Miner], min_confidence: float) -> Mined:
    """What the miners find in exchanges (`conversations.EXCHANGES`), at `min_confidence` or more.

    Of two signals that say the same, the more confident one stays; at a tie, the one whose miner's name comes first.
    """
    found = pl.concat([schemas.FEEDBACK.to_frame(), *(miner.mine(exchanges) for miner in miners)])
    sure = found.filter(pl.col("confidence") >= min_confidence)
    best_first = sure.sort(*SAME, "confidence", "miner", "span", descending=[False] * len(SAME) + [True, False, False])
    signals = best_first.unique(SAME, keep="first", maintain_order=True)
    return Mined(signals, found.height - sure.height, sure.height - signals.height)


def summary(exchanges: pl.DataFrame, mined: Mined) -> dict[str, Any]:
    """The figures of a mining run, with a warning where nothing was found."""
    signals = mined.signals
    n_exchanges, n_with_signal = exchanges.height, signals.n_unique(["conversation_id", "reply_index"])
    return {
        "n_exchanges": n_exchanges,
        "n_signals": signals.height,
        "n_sat": signals.filter(label="sat").height,
        "n_dsat": signals.filter(label="dsat").height,
        "signals_by_category": _counts(signals["category"]),
        "signals_by_miner": _counts(signals["miner"]),
        "n_below_confidence": mined.n_below_confidence,
        "n_duplicates": mined.n_duplicates,
        "share_of_exchanges_with_signal": n_with_signal / n_exchanges if n_exchanges else None,
        "warnings": [] if signals.height else [_nothing_found(n_exchanges, mined.n_below_confidence)],
    }


def _counts(values: pl.Series) -> dict[str, int]:
    return dict(values.value_counts().sort(values.name).iter_rows())


def _nothing_found(n_exchanges: int, n_below_confidence: int) -> str:
    return (
        f"no feedback found in {n_exchanges} exchanges ({n_below_confidence} signals below mine.min_confidence); the "
        "rules know English only: lower mine.min_confidence, log ratings or reactions, or add a miner to mine.miners"
    )
