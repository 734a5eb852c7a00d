"""Mining: every signal once, one decision per reply, and dropped rows are counted."""

from collections.abc import Sequence
from typing import ClassVar

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.core.conversations import EXCHANGES
from turnabout.errors import ConfigError
from turnabout.feedback.base import LanguageModel, ModelMiner
from turnabout.feedback.ensemble import SHIPPED_WEIGHTS
from turnabout.feedback.miners import MINERS, Miner
from turnabout.feedback.miners.explicit import Explicit
from turnabout.feedback.miners.learned import Learned
from turnabout.feedback.miners.rubric import Rubric
from turnabout.feedback.miners.rules import Rules
from turnabout.feedback.mining import (
    MiningResult,
    combine_signals,
    describe_unheard_languages,
    run_miners,
    summarise_mining,
)
from turnabout.feedback.signals import build_signals, select_decisions


def test_every_miner_declares_its_languages() -> None:
    assert [name for name, miner in MINERS.items() if "languages" not in vars(miner)] == []


def test_languages_that_no_miner_hears_are_named_by_share() -> None:
    n_by_language = {"en": 50, "de": 30, "fr": 10, None: 10}
    (warning,) = describe_unheard_languages(n_by_language, [Explicit(), Rules(), Learned()])
    assert warning.startswith("40 % of the conversations")
    assert ": de 30 %, fr 10 %; add 'rubric'" in warning
    for hearing in (Rubric(), Learned(weights="ours.safetensors")):
        assert describe_unheard_languages(n_by_language, [Rules(), hearing]) == []


@pytest.mark.parametrize(
    ("n_by_language", "n_warnings"),
    [({"en": 8, "de": 2}, 0), ({"en": 7, "de": 3}, 1), ({None: 9, "de": 1}, 0), ({}, 0)],
)
def test_few_conversations_in_other_languages_are_no_warning(
    n_by_language: dict[str | None, int], n_warnings: int
) -> None:
    assert len(describe_unheard_languages(n_by_language, [Rules()])) == n_warnings


def test_only_the_most_frequent_unheard_languages_are_named() -> None:
    (warning,) = describe_unheard_languages({f"l{n}": 1 for n in range(7)}, [Explicit()])
    assert "l0 14 %, l1 14 %, l2 14 %, l3 14 %, l4 14 % and 2 more; add" in warning


class ConstantMiner(Miner):
    """A miner that finds the same in every exchange."""

    version: ClassVar[str] = "1"
    category: str = "complaint"
    score: float = -1.0
    confidence: float = 1.0

    def mine(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        findings = exchanges.with_columns(
            category=pl.lit(self.category), span="follow_up", score=self.score, confidence=self.confidence
        )
        return build_signals(findings, self.miner, self.version)


class RepeatingMiner(ConstantMiner):
    """A miner that finds it a second time, less confident."""

    def mine(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        signals = super().mine(exchanges)
        return pl.concat([signals.with_columns(confidence=pl.lit(0.1)), signals])


def mine_all(exchanges: pl.DataFrame, miners: Sequence[Miner], min_confidence: float) -> MiningResult:
    return combine_signals(run_miners(exchanges, miners), SHIPPED_WEIGHTS, min_confidence)


def test_most_confident_of_duplicate_signals_is_kept(exchange):
    result = mine_all(exchange(follow_up="no"), [RepeatingMiner(miner="a", confidence=0.6)], 0.0)
    assert result.signals.filter(miner="a")["confidence"].to_list() == [0.6]
    assert result.n_duplicates == 1


def test_signals_of_two_miners_are_kept_beside_the_decision(exchange):
    result = mine_all(exchange(follow_up="no"), [ConstantMiner(miner="b"), ConstantMiner(miner="a")], 0.0)
    assert result.signals["miner"].to_list() == ["a", "b", "ensemble"]


def test_decision_below_min_confidence_is_counted_and_dropped(exchange):
    # "other" weighs 3.5: logit(.05) + .9 · 3.5 = .2056, so .5512; with .8 it is -.1444, so .46
    miners = {"a": 0.9, "b": 0.8}
    results = {
        n: mine_all(exchange(follow_up="no"), [ConstantMiner(miner=n, confidence=c)], 0.5) for n, c in miners.items()
    }
    assert select_decisions(results["a"].signals)["confidence"].to_list() == [pytest.approx(0.5512, abs=1e-4)]
    assert (results["b"].signals["miner"].to_list(), results["b"].n_below_confidence) == (["b"], 1)


def test_batches_give_the_signals_of_one_table(exchange):
    words = ["that's wrong", "thanks!", "make it shorter", "no, I meant the lake near town", "bye"]
    table = pl.concat(exchange(conversation_id=f"c{i}", follow_up=text) for i, text in enumerate(words * 3))
    miners = [MINERS[name].model_validate({}) for name in ("explicit", "rules", "rephrase")]
    whole = mine_all(table, miners, 0.2)
    parts = pl.concat(run_miners(part, miners) for part in table.iter_slices(4))
    assert combine_signals(parts, SHIPPED_WEIGHTS, 0.2).signals.equals(whole.signals)
    assert whole.signals.height > 12


def test_summary_counts_signals_and_the_share_of_decided_exchanges(exchange):
    table = pl.concat(exchange(conversation_id=name, follow_up="no") for name in "ab")
    miners = [ConstantMiner(miner="a"), ConstantMiner(miner="b", category="positive", score=0.5)]
    figures = summarise_mining(4, mine_all(table, miners[:1], 0.0))
    assert figures == {
        "n_exchanges": 4,
        "n_signals": 2,
        "n_sat": 0,
        "n_dsat": 2,
        "signals_by_category": {"complaint": 2},
        "signals_by_miner": {"a": 2},
        "decisions_by_category": {"complaint": 2},
        "n_below_confidence": 0,
        "n_duplicates": 0,
        "share_of_exchanges_with_signal": 0.5,
        "warnings": [],
    }
    both = summarise_mining(4, mine_all(table, miners, 0.0))  # +3.5 and -3.5 cancel
    assert (both["n_signals"], both["n_sat"], both["n_dsat"]) == (4, 0, 0)
    assert both["warnings"][0].startswith("no feedback found in 4 exchanges (0 decisions below")


def test_log_without_exchanges_gives_an_empty_result_and_a_warning():
    plain = [miner.model_validate({}) for miner in MINERS.values() if miner.needs == "nothing"]
    result = mine_all(EXCHANGES.to_frame(), plain, 0.5)
    figures = summarise_mining(0, result)
    assert result.signals.schema == schemas.FEEDBACK
    assert figures["share_of_exchanges_with_signal"] is None
    assert figures["warnings"][0].startswith("no feedback found in 0 exchanges")


@pytest.mark.parametrize("name", MINERS)
def test_name_of_a_miner_is_its_key_and_file(name):
    assert MINERS[name].model_validate({}).miner == name
    assert MINERS[name].__module__ == f"turnabout.feedback.miners.{name}"


class CategoryReader(ModelMiner):
    """A miner whose category is its model."""

    version: ClassVar[str] = "1"

    def mine(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        return ConstantMiner(miner=self.miner, category=str(self.model.generator)).mine(exchanges)


def test_model_miner_raises_without_a_model(exchange):
    model = LanguageModel("irony", None, batch_size=1, seed=0)  # type: ignore[arg-type]  # wrong on purpose
    reader = CategoryReader(miner="reader")
    assert reader.with_model(model).mine(exchange(follow_up="no"))["category"].to_list() == ["irony"]
    with pytest.raises(ConfigError, match="miner 'reader' needs a language model"):
        reader.mine(exchange(follow_up="no"))
