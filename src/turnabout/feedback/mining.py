"""Mining: run all miners over a log, then decide each reply."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar, NamedTuple

import polars as pl
from pydantic import BeforeValidator, Field, SerializeAsAny

from turnabout.core import schemas
from turnabout.core.config import Count, Section, Share, resolve
from turnabout.feedback.base import Miner
from turnabout.feedback.ensemble import EnsembleWeights, decide_replies
from turnabout.feedback.miners import MINERS
from turnabout.feedback.signals import ENSEMBLE, EVIDENCE_KEY, select_decisions
from turnabout.generation.registry import AnyModel

#: Greatest share of conversations in languages that no miner hears, above which there is a warning.
MAX_UNHEARD = 0.2

#: Greatest number of such languages that the warning names.
MAX_NAMED_LANGUAGES = 5

#: Two signals that agree in these columns are duplicates.
DUPLICATE_KEY = [*EVIDENCE_KEY, "label", "category", "miner"]

AnyMiner = Annotated[SerializeAsAny[Miner], BeforeValidator(partial(resolve, MINERS, "miner"))]


class MinPrecision(Section):
    """Least precision by label; null asks for none.

    The lower end of the precision's 95 % interval must reach it.
    """

    sat: Share | None
    dsat: Share | None


class Mine(Section):
    """Section `mine`: which miners run, and which decisions are written."""

    renamed_keys: ClassVar = {"author": "generator"}

    miners: list[AnyMiner] = Field(min_length=1)
    min_confidence: Share
    """Decisions on a reply that are less probable than this are counted but not written."""
    min_precision: MinPrecision
    """Precision of decisions that people's labels, where there are any, must show before pairs are built on them."""
    model: str
    """Model folder, an output of the graph, whose likelihoods miners use; opened only if a miner needs a model."""
    generator: AnyModel
    """The model that answers questions about follow-ups, for miners that ask them (`rubric`)."""
    batch_size: Count
    """Prompts that the model reads at once."""


class MiningResult(NamedTuple):
    """Signals and decisions of a log, and how many rows were dropped.

    `signals` is `schemas.FEEDBACK`, sorted.
    """

    signals: pl.DataFrame
    n_below_confidence: int
    n_duplicates: int


def run_miners(exchanges: pl.DataFrame, miners: Iterable[Miner]) -> pl.DataFrame:
    """Return all miners' signals in exchanges, unsorted.

    `exchanges` (`conversations.EXCHANGES`) are those of whole conversations.
    """
    return pl.concat([schemas.FEEDBACK.to_frame(), *(miner.mine(exchanges) for miner in miners)])


def combine_signals(signals: pl.DataFrame, weights: EnsembleWeights, min_confidence: float) -> MiningResult:
    """Drop duplicate signals of a whole log and add decisions.

    Decisions are the ensemble's of at least `min_confidence`. Of duplicate signals the most confident one stays.
    """
    descending = [False] * len(DUPLICATE_KEY) + [True, False, False]
    best_first = signals.sort(*DUPLICATE_KEY, "confidence", "span", "rule", descending=descending)
    distinct = best_first.unique(DUPLICATE_KEY, keep="first", maintain_order=True)
    decisions = decide_replies(distinct, weights)
    confident = decisions.filter(pl.col("confidence") >= min_confidence)
    return MiningResult(
        signals=pl.concat([distinct, confident]).sort(*DUPLICATE_KEY),
        n_below_confidence=decisions.height - confident.height,
        n_duplicates=signals.height - distinct.height,
    )


def summarise_mining(n_exchanges: int, result: MiningResult) -> dict[str, Any]:
    """Return the figures and warnings of a mining run.

    There is a warning where nothing was decided. The signals counted are those of the miners; decisions of the ensemble
    are counted apart.
    """
    signals = result.signals.filter(pl.col("miner") != ENSEMBLE)
    decisions = select_decisions(result.signals)
    return {
        "n_exchanges": n_exchanges,
        "n_signals": signals.height,
        "n_sat": decisions.filter(label="sat").height,
        "n_dsat": decisions.filter(label="dsat").height,
        "signals_by_category": _count_values(signals["category"]),
        "signals_by_miner": _count_values(signals["miner"]),
        "decisions_by_category": _count_values(decisions["category"]),
        "n_below_confidence": result.n_below_confidence,
        "n_duplicates": result.n_duplicates,
        "share_of_exchanges_with_signal": decisions.height / n_exchanges if n_exchanges else None,
        "warnings": [] if decisions.height else [_describe_no_feedback(n_exchanges, result.n_below_confidence)],
    }


def describe_unheard_languages(n_by_language: Mapping[str | None, int], miners: Sequence[Miner]) -> list[str]:
    """Return a warning about languages in which no miner finds feedback.

    `n_by_language` are numbers of conversations; None is an unknown language, which counts as heard.
    """
    n_conversations = sum(n_by_language.values())
    unheard = {
        language: n
        for language, n in n_by_language.items()
        if language is not None and not any(miner.hears(language) for miner in miners)
    }
    n_unheard = sum(unheard.values())
    if n_unheard <= MAX_UNHEARD * n_conversations:
        return []
    frequent = sorted(unheard, key=lambda language: (-unheard[language], language))[:MAX_NAMED_LANGUAGES]
    shares = [f"{language} {_format_share(unheard[language], n_conversations)}" for language in frequent]
    further = f" and {len(unheard) - len(frequent)} more" if len(unheard) > len(frequent) else ""
    multilingual = ", ".join(
        f"'{name}'" for name, miner in MINERS.items() if miner.languages is None and miner.needs == "model"
    )
    return [
        f"{_format_share(n_unheard, n_conversations)} of the conversations are in languages in which no miner of "
        f"mine.miners finds feedback: {', '.join(shares)}{further}; add {multilingual} with a multilingual model as "
        "mine.generator, or 'learned' with weights of `turnabout fit-miner`"
    ]


def _format_share(n: int, n_total: int) -> str:
    return f"{n / n_total:.0%}".replace("%", " %")


def _count_values(values: pl.Series) -> dict[str, int]:
    return dict(values.value_counts().sort(values.name).iter_rows())


def _describe_no_feedback(n_exchanges: int, n_below_confidence: int) -> str:
    return (
        f"no feedback found in {n_exchanges} exchanges ({n_below_confidence} decisions below mine.min_confidence); the "
        "rules know English only: lower mine.min_confidence, log ratings or reactions, or add a miner to mine.miners"
    )
