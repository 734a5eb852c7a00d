"""Accuracy of each miner on held-out people: AUC, precision and recall.

    python -m benchmarks.mining [--data DIR]

AUC has 95 % intervals; precision and recall are those at the miner's threshold. Trained miners are cross-validated: no
dialogue, text or person is both in training and in test data, and no collection where the row says so. Intervals are
bootstraps over dialogues (reactions) or workers (experience).
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

#: Relation features of replies alone: how similar they are to each other, by words and by meaning.
REPLIES_ALONE = [4, 5, 12, 13]


class ScoredCases(NamedTuple):
    """Scores of cases with truth and cluster, one line of a table.

    A higher score means more dissatisfaction.
    """

    name: str
    scores: Array
    truth: NDArray[np.bool_]
    clusters: Sequence[str]
    threshold: float | None = None


def compute_auc(row: ScoredCases) -> tuple[float, float, float]:
    """Return the area under the ROC curve and its interval.

    The interval is over resampled clusters.
    """
    _, cluster = np.unique(np.array(row.clusters), return_inverse=True)
    members = [np.flatnonzero(cluster == c) for c in range(cluster.max() + 1)]
    rng, values = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        cases = np.concatenate([members[c] for c in rng.integers(len(members), size=len(members))])
        if 0 < row.truth[cases].sum() < len(cases):
            values.append(roc_auc_score(row.truth[cases], row.scores[cases]))
    low, high = np.percentile(values, [2.5, 97.5])
    return float(roc_auc_score(row.truth, row.scores)), low, high


def print_table(title: str, rows: list[ScoredCases]) -> None:
    """Print a table of rows."""
    table = Table("miner", "positives / cases", "AUC", "95 % interval", "precision", "recall", title=title)
    for row in rows:
        value, low, high = compute_auc(row)
        predicted = row.scores >= row.threshold if row.threshold else np.zeros(len(row.scores), dtype=bool)
        hits = int((predicted & row.truth).sum())
        precision_recall = (f"{hits}/{predicted.sum()}", f"{hits}/{row.truth.sum()}") if row.threshold else ("", "")
        table.add_row(
            row.name,
            f"{row.truth.sum()} / {len(row.truth)}",
            f"{value:.3f}",
            f"{low:.3f} to {high:.3f}",
            *precision_recall,
        )
    Console(width=120).print(table)


def score_exchanges(miner: Miner, exchanges: pl.DataFrame) -> Array:
    """Return a miner's dissatisfaction score of each exchange, 0 to 1."""
    signals = miner.mine(exchanges).filter(label="dsat")
    strongest = signals.group_by(REPLY_KEY).agg(strength=(-pl.col("score") * pl.col("confidence")).max())
    joined = exchanges.select(REPLY_KEY).join(strongest, on=REPLY_KEY, how="left", maintain_order="left")
    return joined["strength"].fill_null(0.0).to_numpy()


def measure_reactions(folder: Path) -> None:
    """Print how well miners recognise reactions to bad replies in EURTAD."""
    examples = development.load_eurtad(folder)
    exchanges = examples_to_exchanges(examples)
    ignored = (examples["reaction"] == development.IGNORED).fill_null(False).to_numpy()
    reacted = examples["category"].is_not_null().to_numpy()
    groups = examples["group"].to_list()
    learned = np.full(examples.height, np.nan)
    own = fit_reaction_models(load_reactions(folder))
    learned[~ignored] = own.held_out
    by_source = load_reactions(folder).with_columns(group=examples["source"].filter(pl.Series(~ignored)))
    across = fit_reaction_models(by_source)
    scores_by_miner = {"rules": score_exchanges(Rules(), exchanges), "rephrase": score_exchanges(Rephrase(), exchanges)}
    truth, kept = reacted[~ignored], [groups[i] for i in np.flatnonzero(~ignored)]
    threshold = Learned().threshold
    table = [
        ScoredCases(name, scores[~ignored], truth=truth, clusters=kept, threshold=1e-9)
        for name, scores in scores_by_miner.items()
    ]
    for name, scores in {"learned": learned[~ignored], "learned, other collections": across.held_out}.items():
        table.append(ScoredCases(name, scores, truth=truth, clusters=kept, threshold=threshold))
    print_table("EURTAD: reactions to bad replies, distinct texts", table)
    print(f"learned: {format_calibration(own.held_out, truth)}")
    print_auc_by_type(examples.filter(pl.Series(~ignored)), own.held_out)
    loose = examples.with_columns(category=pl.when(pl.col("reaction").is_not_null()).then(pl.lit("complaint")))
    bad = examples["reaction"].is_not_null().to_numpy()
    all_turns = [
        ScoredCases(name, scores, truth=bad, clusters=groups, threshold=1e-9)
        for name, scores in scores_by_miner.items()
    ]
    learned_on_all = fit_reaction_models(loose.select(list(EXAMPLES))).held_out
    all_turns.append(ScoredCases("learned", learned_on_all, truth=bad, clusters=groups, threshold=threshold))
    print_table("EURTAD: the same and the turns of people who ignored the error", all_turns)


def format_calibration(probability: Array, truth: NDArray[np.bool_]) -> str:
    """Return the Brier score and the expected calibration error as text.

    The calibration error is over tenths, weighted by cases.
    """
    tenth = np.minimum((probability * 10).astype(int), 9)
    gaps = [abs(probability[tenth == t].sum() - truth[tenth == t].sum()) for t in range(10)]
    return f"Brier {brier_score_loss(truth, probability):.4f}, expected calibration error {sum(gaps) / len(truth):.4f}"


def print_auc_by_type(rows: pl.DataFrame, scores: Array) -> None:
    """Print AUC of each reaction type and within each collection.

    The negatives are all turns that are no reaction.
    """
    none = rows["category"].is_null().to_numpy()
    for column in ("category", "source"):
        for name in sorted(rows[column].drop_nulls().unique()):
            of_name = (rows[column] == name).fill_null(False).to_numpy()
            cases = (of_name | none) if column == "category" else of_name
            truth = ~none[cases]
            if 0 < truth.sum() < len(truth):
                print(f"  {column} {name}: AUC {roc_auc_score(truth, scores[cases]):.3f} ({truth.sum()} reactions)")


def count_topic_changes() -> None:
    """Print how often miners take a change of topic for dissatisfaction.

    The miners are those that are shipped. The changes of topic were written for this benchmark.
    """
    exchanges = examples_to_exchanges(pl.read_csv(Path(__file__).with_name("topic_changes.tsv"), separator="\t"))
    for miner in (Rules(), Rephrase(), Learned()):
        print(
            f"  {miner.miner}: {(score_exchanges(miner, exchanges) > 0).sum()} of {exchanges.height} changes of topic"
        )


def measure_experience(folder: Path) -> None:
    """Print how well miners predict low ratings in Dialogue-Eval."""
    rated = development.load_dialogue_eval(folder).sort("conversation_id")
    exchanges = development.build_exchange_table(rated)
    _, conversations = collect_conversations(exchanges)
    z, workers = rated["z_mean"].to_numpy(), rated["worker"].to_list()
    scores: dict[str, Array] = {
        miner.miner: mean_by_conversation(exchanges, score_exchanges(miner, exchanges))
        for miner in (Rules(), Rephrase())
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
        clusters = [workers[i] for i in cases]
        rows = [
            ScoredCases(name, values[cases], truth=truth[cases], clusters=clusters) for name, values in scores.items()
        ]
        print_table(f"Dialogue-Eval: {title}", rows)


def fit_experience_models(conversations: list, z: Array, workers: list[str]) -> dict[str, Array]:  # type: ignore[type-arg]
    """Return held-out scores of the experience model and of its parts.

    Each is returned with and without the person's own mean.
    """
    from scipy.sparse import hstack

    user, relations = compute_user_features(conversations), compute_relation_features(conversations)
    two_sided = [column for column in range(relations.shape[1]) if column not in REPLIES_ALONE]
    parts = {
        "experience, the user's turns alone": user,
        "experience, and how replies relate to them": hstack([user, relations[:, two_sided]]).tocsr(),
        "experience": hstack([user, relations]).tocsr(),
    }
    labels, ones = (z < np.median(z)).astype(np.float64), np.ones(len(z))
    scores = {}
    for name, features in parts.items():
        scores[name] = compute_log_odds(fit_linear_model(features, labels, workers, ones).held_out)
    for name in parts:
        own = pl.DataFrame({"worker": workers, "score": scores[name]})
        centred = own.select(pl.col("score") - pl.col("score").mean().over("worker"))
        scores[f"{name}, less the person's mean"] = centred["score"].to_numpy()
    return scores


def compute_log_odds(probability: Array) -> Array:
    """Return log-odds, in which differences near 0 and 1 count."""
    return np.asarray(np.log(probability) - np.log1p(-probability))


def mean_by_conversation(exchanges: pl.DataFrame, scores: Array) -> Array:
    """Return the mean score of each conversation's exchanges, by id."""
    means = exchanges.select("conversation_id", score=pl.Series(scores)).group_by("conversation_id").mean()
    return means.sort("conversation_id")["score"].to_numpy()


def main() -> None:
    """Print the tables of all corpora."""
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
