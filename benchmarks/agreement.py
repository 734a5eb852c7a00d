"""Agreement of every scorer of `turnabout score` with people's preferences.

    python -m benchmarks.agreement [--data DIR] [--pairs N] [--by SCORER …] [--sets SET …]

The scorers use the embedded model and are compared with the rule "the longer reply wins". There are two sets: IFLLM,
in which people preferred one of two answers, and EURTAD, in which a corrected reply stands against the one with the
error. N pairs of each set are chosen by hash. A tie counts half. Intervals are bootstraps over people (IFLLM) and
dialogues (EURTAD).
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks import development
from turnabout.core.conversations import rank_by_hash
from turnabout.core.messages import Message
from turnabout.scoring import SCORERS, Pair, Score
from turnabout.scoring.base import RawScore
from turnabout.scoring.load_scorer import load_scoring_model
from turnabout.stats.estimate import Bootstrap, Estimate

MODEL = "smollm2-135m-instruct"
BATCH_SIZE = 8
MAX_PROMPT_TOKENS = 768
RESAMPLES = 2000

#: Neither set states the users' preferences, which a checklist needs.
COMPARED = [name for name in SCORERS if name != "checklist"]


class PreferenceSet(NamedTuple):
    """Pairs with people's preferences.

    `a_is_better` says whether people preferred `a`. The bootstrap resamples whole `clusters`.
    """

    name: str
    pairs: list[Pair]
    a_is_better: NDArray[np.bool_]
    clusters: list[str]


def load_ifllm(folder: Path, n_pairs: int) -> PreferenceSet:
    """Return turns with a preferred answer, both answers in the order shown.

    The prompt holds the earlier turns, each with its preferred answer, or with the first answer where none was
    preferred.
    """
    turns = pl.read_parquet(folder / "ifllm.parquet").sort("conversation_id", "turn_index")
    judged = turns.drop_nulls("preferred").sort(rank_by_hash(0, "conversation_id", "turn_index")).head(n_pairs)
    talks = turns.partition_by("conversation_id", as_dict=True)
    pairs = [
        Pair(
            f"{row['conversation_id']}:{row['turn_index']}",
            _build_prompt(
                talks[row["conversation_id"],].filter(pl.col("turn_index") < row["turn_index"]), row["user_query"]
            ),
            row["response_1"],
            row["response_2"],
        )
        for row in judged.iter_rows(named=True)
    ]
    return PreferenceSet("IFLLM", pairs, (judged["preferred"] == 1).to_numpy(), judged["user"].to_list())


def _build_prompt(earlier: pl.DataFrame, query: str) -> list[Message]:
    prompt: list[Message] = []
    for row in earlier.iter_rows(named=True):
        answer = row["response_2"] if row["preferred"] == 2 else row["response_1"]
        prompt += [{"role": "user", "content": row["user_query"]}, {"role": "assistant", "content": answer}]
    return [*prompt, {"role": "user", "content": query}]


def load_eurtad(folder: Path, n_pairs: int) -> PreferenceSet:
    """Return bad replies with their corrections.

    Reply `a` is the correction in every second pair.
    """
    items = pl.read_parquet(folder / "eurtad.parquet").filter("erroneous", pl.col("target") != "-")
    rows = items.sort(rank_by_hash(0, "item_id")).head(n_pairs).to_dicts()
    pairs, is_a = [], np.arange(len(rows)) % 2 == 0
    for row, corrected_first in zip(rows, is_a, strict=True):
        replies = (row["target"], row["error_text"]) if corrected_first else (row["error_text"], row["target"])
        pairs.append(Pair(row["item_id"], row["context"], *replies))
    openings = [[m["content"] for m in row["context"] if m["role"] == "user"][:2] for row in rows]
    return PreferenceSet("EURTAD", pairs, is_a, [" / ".join(opening) for opening in openings])


SETS = {"eurtad": load_eurtad, "ifllm": load_ifllm}


def measure_agreement(
    scores: Sequence[Score], a_is_better: NDArray[np.bool_], by_score: bool = False
) -> NDArray[np.float64]:
    """Return 1 where scorer and people agree, 0 where not, 0.5 for a tie.

    With `by_score`, the reply with the larger score counts as preferred, even where the scorer itself prefers neither.
    """
    sign_of_choice = {"a": 1.0, "b": -1.0, None: 0.0}
    signs = [float(np.sign((s.a or 0) - (s.b or 0))) if by_score else sign_of_choice[s.prefer] for s in scores]
    return np.asarray(0.5 + 0.5 * np.array(signs) * np.where(a_is_better, 1, -1))


def print_agreement(labelled: PreferenceSet, scorers: Sequence[str]) -> None:
    """Print the table of one set, and a line when each scorer is done."""
    columns = ("scorer", "agrees, %", "95 % interval", "prefers none", "less length", "95 % interval", "s a pair")
    table = Table(*columns)
    readings: dict[object, tuple[Sequence[RawScore], float]] = {}
    bootstrap = Bootstrap(RESAMPLES, seed=0)
    longer = measure_agreement(score_pairs("length", labelled.pairs, readings)[0], labelled.a_is_better)
    for name in scorers:
        scores, seconds = score_pairs(name, labelled.pairs, readings)
        readouts = {name: False} | ({f"{name}, by strength": True} if "judge" in name or "self" in name else {})
        for label, by_score in readouts.items():
            agrees = measure_agreement(scores, labelled.a_is_better, by_score)
            own = bootstrap.mean(agrees, labelled.clusters)
            gain = bootstrap.mean(agrees - longer, labelled.clusters)
            ties = f"{(agrees == 0.5).sum()} of {len(agrees)}"
            table.add_row(label, *format_percent(own), ties, *format_percent(gain), f"{seconds / len(agrees):.2f}")
            print(f"{labelled.name} {label}: {' '.join(format_percent(own))}", flush=True)
    n_clusters = len(set(labelled.clusters))
    table.title = f"{labelled.name}: {len(labelled.pairs)} pairs, {n_clusters} people or dialogues"
    Console(width=120).print(table)


def score_pairs(
    name: str, pairs: Sequence[Pair], readings: dict[object, tuple[Sequence[RawScore], float]]
) -> tuple[list[Score], float]:
    """Return the scores of `turnabout score`, and the seconds of reading.

    Scorers that read the pairs in the same way share one reading.
    """
    scorer = SCORERS[name]
    if scorer.score_chunk not in readings:
        with TemporaryDirectory() as scratch, load_scoring_model(name, MODEL, None) as model:
            context = model.open_scorer_context(BATCH_SIZE, MAX_PROMPT_TOKENS, Path(scratch, "answers.sqlite"))
            began = time.perf_counter()
            readings[scorer.score_chunk] = scorer.score_chunk(pairs, context), time.perf_counter() - began
    raw_scores, seconds = readings[scorer.score_chunk]
    return scorer.finalize(raw_scores), seconds


def format_percent(estimate: Estimate) -> tuple[str, str]:
    """Return the value and its interval, in percent or percentage points."""
    value, low, high = (float("nan") if figure is None else 100 * figure for figure in estimate[:3])
    return f"{value:.1f}", f"{low:.1f} to {high:.1f}"


def main() -> None:
    """Print one table for each set."""
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--data", type=Path, default=None)
    cli.add_argument("--pairs", type=int, default=60, metavar="N", help="of each set (default 60)")
    cli.add_argument("--by", nargs="+", choices=COMPARED, default=COMPARED, metavar="SCORER")
    cli.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS), metavar="SET")
    options = cli.parse_args()
    folder = development.find_folder(options.data)
    if folder is None:
        print("skipped: no development data; set TURNABOUT_DEVELOPMENT_DATA or give --data")
        return
    for name in options.sets:
        print_agreement(SETS[name](folder, options.pairs), options.by)


if __name__ == "__main__":
    main()
