"""How right each miner is on people it has not seen: AUC with 95 % intervals, precision and recall at its threshold.

`python -m benchmarks.mining [--data DIR]`. What learns is cross-validated: no dialogue, text, person or, where the row
says so, collection is on both sides. Intervals are bootstraps over dialogues (reactions) or workers (experience).
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.metrics import brier_score_loss, roc_auc_score

from benchmarks import development
from benchmarks.ship_weights import load_reactions
from turnabout.core.conversations import REPLY_KEY
from turnabout.feedback.base import Miner
from turnabout.feedback.fitting import EXAMPLES, examples_to_exchanges, fit_reaction_models
from turnabout.feedback.miners.experience_features import (
    collect_conversations,
    compute_relation_features,
    compute_user_features,
)
from turnabout.feedback.miners.learned import Learned
from turnabout.feedback.miners.linear import fit_linear_model
from turnabout.feedback.miners.rephrase import Rephrase
from turnabout.feedback.miners.rules import Rules

Array = NDArray[np.float64]

RESAMPLES = 1000

#: Columns of the relations that look at replies alone: how near they are to each other, by words and by meaning.
REPLIES_ALONE = [4, 5, 12, 13]


class ScoredCases(NamedTuple):
    """One line of a table: scores (higher is more dissatisfied) of cases with their truth and cluster."""

    name: str
    scores: Array
    truth: NDArray[np.bool_]
    clusters: Sequence[str]
    threshold: float | None = None


def compute_auc(cases: ScoredCases) -> tuple[float, float, float]:
    """The area under the ROC curve and its interval over resampled clusters."""
    _, cluster = np.unique(np.array(cases.clusters), return_inverse=True)
    members = [np.flatnonzero(cluster == c) for c in range(cluster.max() + 1)]
    rng, values = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        cases = np.concatenate([members[c] for c in rng.integers(len(members), size=len(members))])
        if 0 < cases.truth[cases].sum() < len(cases):
            values.append(roc_auc_score(cases.truth[cases], cases.scores[cases]))
    low, high = np.percentile(values, [2.5, 97.5])
    return float(roc_auc_score(cases.truth, cases.scores)), low, high


def print_table(title: str, rows: list[ScoredCases]) -> None:
    """A table of rows."""
    table = Table("miner", "positives / cases", "AUC", "95 % interval", "precision", "recall", title=title)
    for row in rows:
        value, low, high = compute_auc(row)
        predicted = row.scores >= row.threshold if row.threshold else np.zeros(len(row.scores), dtype=bool)
        hits = int((predicted & row.truth).sum())
        precision_recall = (f"{hits}/{predicted.sum()}", f"{hits}/{row.truth.sum()}") if row.threshold else ("", "")
        table.add_row(
            row.name, f"{row.truth.sum()} / {len(row.truth)}", f"{value:.3f}", f"{low:.3f} to {high:.3f}", *precision_recall
        )
    Console(width=120).print(table)


def score_exchanges(miner: Miner, exchanges: pl.DataFrame) -> Array:
    """How dissatisfied a miner finds each exchange, 0 to 1."""
    signals = miner.mine(exchanges).filter(label="dsat")
    strongest = signals.group_by(REPLY_KEY).agg(strength=(-pl.col("score") * pl.col("confidence")).max())
    joined = exchanges.select(REPLY_KEY).join(strongest, on=REPLY_KEY, how="left", maintain_order="left")
    return joined["strength"].fill_null(0.0).to_numpy()


def measure_reactions(folder: Path) -> None:
    """EURTAD: is this user turn a reaction to a bad reply?"""
    examples = development.load_eurtad(folder)
    exchanges = examples_to_exchanges(examples)
    ignored = (examples["reaction"] == development.IGNORED).fill_null(False).to_numpy()
    reacted = examples["category"].is_not_null().to_numpy()
    groups = examples["group"].to_list()
    learned = np.full(examples.height, np.nan)
    own = fit_reaction_models(load_reactions(folder))
    learned[~ignored] = own.held_out
    rows = {"rules": score_exchanges(Rules(), exchanges), "rephrase": score_exchanges(Rephrase(), exchanges)}
    kept = [groups[i] for i in np.flatnonzero(~ignored)]
    table = [ScoredCases(name, scores[~ignored], reacted[~ignored], kept, 1e-9) for name, scores in rows.items()]
    table.append(ScoredCases("learned", learned[~ignored], reacted[~ignored], kept, Learned().threshold))
    across = fit_reaction_models(load_reactions(folder).with_columns(group=examples["source"].filter(pl.Series(~ignored))))
    table.append(ScoredCases("learned, other collections", across.held_out, reacted[~ignored], kept, Learned().threshold))
    print_table("EURTAD: reactions to bad replies, distinct texts", table)
    print(f"learned: {format_calibration(own.held_out, reacted[~ignored])}")
    print_auc_by_type(examples.filter(pl.Series(~ignored)), own.held_out)
    loose = examples.with_columns(category=pl.when(pl.col("reaction").is_not_null()).then(pl.lit("complaint")))
    bad = examples["reaction"].is_not_null().to_numpy()
    all_turns = [ScoredCases(name, scores, bad, groups, 1e-9) for name, scores in rows.items()]
    all_turns.append(
        ScoredCases("learned", fit_reaction_models(loose.select(list(EXAMPLES))).held_out, bad, groups, Learned().threshold)
    )
    print_table("EURTAD: the same and the turns of people who ignored the error", all_turns)


def format_calibration(probability: Array, truth: NDArray[np.bool_]) -> str:
    """Brier score, and the expected calibration error over tenths, weighted by cases."""
    tenth = np.minimum((probability * 10).astype(int), 9)
    gaps = [abs(probability[tenth == t].sum() - truth[tenth == t].sum()) for t in range(10)]
    return f"Brier {brier_score_loss(truth, probability):.4f}, expected calibration error {sum(gaps) / len(truth):.4f}"


def print_auc_by_type(rows: pl.DataFrame, scores: Array) -> None:
    """AUC of each type of reaction against all that is none, and within each collection."""
    none = rows["category"].is_null().to_numpy()
    for column in ("category", "source"):
        for name in sorted(rows[column].drop_nulls().unique()):
            of_name = (rows[column] == name).fill_null(False).to_numpy()
            cases = (of_name | none) if column == "category" else of_name
            truth = ~none[cases]
            if 0 < truth.sum() < len(truth):
                print(f"  {column} {name}: AUC {roc_auc_score(truth, scores[cases]):.3f} ({truth.sum()} reactions)")


def count_topic_changes() -> None:
    """How often each miner, as shipped, takes a change of topic for dissatisfaction; written for this benchmark."""
    exchanges = examples_to_exchanges(pl.read_csv(Path(__file__).with_name("topic_changes.tsv"), separator="\t"))
    for miner in (Rules(), Rephrase(), Learned()):
        print(f"  {miner.miner}: {(score_exchanges(miner, exchanges) > 0).sum()} of {exchanges.height} changes of topic")


def measure_experience(folder: Path) -> None:
    """Dialogue-Eval: would this person rate the conversation low?"""
    rated = development.load_dialogue_eval(folder).sort("conversation_id")
    exchanges = development.build_exchange_table(rated)
    _, conversations = collect_conversations(exchanges)
    z, workers = rated["z_mean"].to_numpy(), rated["worker"].to_list()
    scores: dict[str, Array] = {
        miner.miner: mean_by_conversation(exchanges, score_exchanges(miner, exchanges)) for miner in (Rules(), Rephrase())
    }
    began = time.perf_counter()
    learned = score_exchanges(Learned(), exchanges)
    print(f"learned: {exchanges.height / (time.perf_counter() - began):,.0f} exchanges/s behind its gate")
    scores["learned, trained on EURTAD"] = mean_by_conversation(exchanges, learned)
    scores |= fit_experience_models(conversations, z, workers)
    low, high = np.quantile(z, [1 / 3, 2 / 3])
    outer_thirds = np.flatnonzero((z < low) | (z > high))
    all_cases = np.arange(len(z))
    for title, cases, truth in (
        ("rated below the median against the rest", all_cases, z < np.median(z)),
        ("lowest against highest third", outer_thirds, z < low),
    ):
        rows = [ScoredCases(name, s[cases], truth[cases], [workers[i] for i in cases]) for name, s in scores.items()]
        print_table(f"Dialogue-Eval: {title}", rows)


def fit_experience_models(conversations: list, z: Array, workers: list[str]) -> dict[str, Array]:  # type: ignore[type-arg]
    """Held-out scores of the experience model, of its parts, and with the person's own average taken off."""
    from scipy.sparse import hstack

    user, relations = compute_user_features(conversations), compute_relation_features(conversations)
    two_sided = [column for column in range(relations.shape[1]) if column not in REPLIES_ALONE]
    parts = {
        "experience, the user's turns alone": user,
        "experience, and how replies relate to them": hstack([user, relations[:, two_sided]]).tocsr(),
        "experience": hstack([user, relations]).tocsr(),
    }
    labels, ones = (z < np.median(z)).astype(np.float64), np.ones(len(z))
    scores = {name: compute_log_odds(fit_linear_model(features, labels, workers, ones).held_out) for name, features in parts.items()}
    for name in list(scores):
        own = pl.DataFrame({"worker": workers, "score": scores[name]})
        scores[f"{name}, less the person's mean"] = own.select(pl.col("score") - pl.col("score").mean().over("worker"))[
            "score"
        ].to_numpy()
    return scores


def compute_log_odds(probability: Array) -> Array:
    """Unbounded scores, so that differences near 0 and 1 count."""
    return np.asarray(np.log(probability) - np.log1p(-probability))


def mean_by_conversation(exchanges: pl.DataFrame, scores: Array) -> Array:
    """The mean score of each conversation's exchanges, by id."""
    means = exchanges.select("conversation_id", score=pl.Series(scores)).group_by("conversation_id").mean()
    return means.sort("conversation_id")["score"].to_numpy()


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--data", type=Path, default=None)
    folder = development.find_folder(cli.parse_args().data)
    count_topic_changes()
    if folder is None:
        print("skipped: no development data; set TURNABOUT_DEVELOPMENT_DATA or give --data")
        return
    measure_reactions(folder)
    measure_experience(folder)


if __name__ == "__main__":
    main()
