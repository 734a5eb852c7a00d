"""Mining: all miners over one log, every signal once, nothing lost uncounted."""

from typing import ClassVar

import polars as pl
import pytest

from turnabout import schemas
from turnabout.conversations import EXCHANGES
from turnabout.feedback import MINERS, Miner
from turnabout.feedback.mining import mine, summary
from turnabout.feedback.signals import signals


class Scripted(Miner):
    """Says the same of every exchange."""

    version: ClassVar[str] = "1"
    category: str = "complaint"
    score: float = -1.0
    confidence: float = 1.0

    def mine(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        found = exchanges.with_columns(
            category=pl.lit(self.category), span="follow_up", score=self.score, confidence=self.confidence
        )
        return signals(found, self.miner, self.version)


def test_the_more_confident_of_two_equal_signals_stays(exchange):
    pair = [Scripted(miner="a", confidence=0.6), Scripted(miner="b", confidence=0.7)]
    mined = mine(exchange(follow_up="no"), pair, 0.5)
    assert (mined.signals["miner"].to_list(), mined.n_duplicates) == (["b"], 1)


def test_a_tie_goes_to_the_first_name_whatever_the_order_of_miners(exchange):
    pair = [Scripted(miner="b"), Scripted(miner="a")]
    assert mine(exchange(follow_up="no"), pair, 0.5).signals["miner"].to_list() == ["a"]


def test_signals_of_other_categories_both_stay(exchange):
    pair = [Scripted(miner="a"), Scripted(miner="b", category="correction")]
    assert mine(exchange(follow_up="no"), pair, 0.5).signals["category"].to_list() == ["complaint", "correction"]


def test_a_signal_below_the_least_confidence_is_counted_not_kept(exchange):
    pair = [Scripted(miner="a", confidence=0.49), Scripted(miner="b", confidence=0.5, category="correction")]
    mined = mine(exchange(follow_up="no"), pair, 0.5)
    assert (mined.signals["miner"].to_list(), mined.n_below_confidence) == (["b"], 1)


def test_signals_are_sorted_by_place(exchange):
    table = pl.concat(exchange(conversation_id=name, follow_up="no") for name in "cab")
    assert mine(table, [Scripted(miner="a")], 0.0).signals["conversation_id"].to_list() == ["a", "b", "c"]


def test_the_summary_counts_signals_and_the_share_of_exchanges(exchange):
    table = pl.concat(exchange(conversation_id=name, follow_up="no") for name in "ab").extend(
        exchange(conversation_id="c")
    )
    judged = table.filter(pl.col("conversation_id") != "c")
    miners = [Scripted(miner="a"), Scripted(miner="b", category="positive", score=0.5)]
    figures = summary(table, mine(judged, miners, 0.0))
    assert figures == {
        "n_exchanges": 3,
        "n_signals": 4,
        "n_sat": 2,
        "n_dsat": 2,
        "signals_by_category": {"complaint": 2, "positive": 2},
        "signals_by_miner": {"a": 2, "b": 2},
        "n_below_confidence": 0,
        "n_duplicates": 0,
        "share_of_exchanges_with_signal": pytest.approx(2 / 3),
        "warnings": [],
    }


def test_a_log_without_exchanges_is_an_empty_result_with_a_warning():
    mined = mine(EXCHANGES.to_frame(), [miner() for miner in MINERS.values()], 0.5)
    figures = summary(EXCHANGES.to_frame(), mined)
    assert mined.signals.schema == schemas.FEEDBACK
    assert figures["share_of_exchanges_with_signal"] is None
    assert figures["warnings"][0].startswith("no feedback found in 0 exchanges")


@pytest.mark.parametrize("name", MINERS)
def test_a_miner_is_named_like_its_key_and_file(name):
    assert MINERS[name]().miner == name
    assert MINERS[name].__module__ == f"turnabout.feedback.{name}"
