"""Stage: mine feedback in messages and measure its accuracy."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import polars as pl
from tqdm import tqdm

from stages._command import command
from turnabout.core import schemas
from turnabout.core.conversations import REPLY_KEY, build_exchanges
from turnabout.core.io import RowGroup, list_batches, read_batch, read_frame, write_frame, write_json
from turnabout.core.parallel import parallel_map
from turnabout.core.stage_output import print_warning
from turnabout.feedback.base import Miner, count_failures
from turnabout.feedback.ensemble import SHIPPED_WEIGHTS, refit_weights
from turnabout.feedback.language_model import any_needs_model, open_miners
from turnabout.feedback.mining import combine_signals, describe_unheard_languages, run_miners, summarise_mining
from turnabout.generation.config import OpenContext
from turnabout.generation.store import ANSWERS_FILE
from turnabout.labels.accuracy import check_precision, measure_mining_accuracy, prepare_labels
from turnabout.labels.tables import LABELS_FILE, SAMPLE_FILE, drop_test_labels, read_csv_table, read_labels
from turnabout.params import load_params

#: Batches that are mined together: polars compiles the rules anew for each call, which takes as long as a batch.
BATCHES_PER_UNIT = 4

LEFT_OUT = f"left out: their exchanges are no longer in the log, in the test split, or not in labels/{SAMPLE_FILE}"
UNKNOWN = "accuracy unknown on this log: let people judge a sample of it with `turnabout label`"


def main(
    messages: Path,
    feedback: Path,
    metrics: Path,
    *,
    model: Path = Path("models/backbone"),
    labels: Path = Path("labels"),
    splits: Path = Path("data/splits.parquet"),
    params: Path = Path("params.yaml"),
) -> None:
    """Run the miners of `mine.miners`, decide each reply, check the accuracy.

    A log without feedback gives an empty table and a warning, not an error. Table and figures are written before the
    check, so that feedback which fails it can be looked at and labelled further.
    """
    loaded = load_params(params)
    settings = loaded.mine
    all_labels = read_labels(labels / LABELS_FILE)
    usable_labels = all_labels
    if all_labels.height:
        usable_labels = drop_test_labels(all_labels, read_frame(splits, schemas.SPLITS))
    sample = read_csv_table(labels / SAMPLE_FILE, schemas.LABEL_SAMPLE)
    context = OpenContext(
        model=model.resolve(),
        dtype=loaded.backbone.dtype,
        batch_size=settings.batch_size,
        answers=ANSWERS_FILE.resolve(),
    )
    miners = open_miners(settings, context, loaded.seed)
    mined = _mine_log(messages, miners, usable_labels)
    prepared = prepare_labels(usable_labels, sample, mined.labelled)
    weights = refit_weights(mined.signals, prepared, SHIPPED_WEIGHTS)
    result = combine_signals(mined.signals, weights, settings.min_confidence)
    figures = summarise_mining(mined.n_exchanges, result)
    figures["warnings"] += describe_unheard_languages(mined.n_by_language, miners)
    figures["failed_by_miner"] = count_failures(miners)
    figures["warnings"] += [f"no usable answers for '{name}': {n}" for name, n in figures["failed_by_miner"].items()]
    figures["n_labels_left_out"] = n_left_out = all_labels.height - prepared.height
    if n_left_out:
        figures["warnings"].append(f"{n_left_out} of {all_labels.height} labels {LEFT_OUT}")
    if prepared.height:
        figures["accuracy"] = measure_mining_accuracy(
            mined.signals, prepared, SHIPPED_WEIGHTS, min_confidence=settings.min_confidence, seed=loaded.seed
        )
    else:
        figures["warnings"].append(UNKNOWN)
    write_frame(result.signals, feedback, schemas.FEEDBACK)
    write_json(figures, metrics)
    for warning in figures["warnings"]:
        print_warning(warning)
    if prepared.height:
        check_precision(figures["accuracy"], settings.min_precision.model_dump())


class MinedExchanges(NamedTuple):
    """What mining a part of the log, or all of it, gives."""

    signals: pl.DataFrame
    labelled: pl.DataFrame
    """`REPLY_KEY` and `user_key` of the exchanges that have labels."""
    n_exchanges: int
    n_by_language: Counter[str | None]
    """Number of conversations by language; None where it is unknown."""


def _mine_log(messages: Path, miners: Sequence[Miner], labels: pl.DataFrame) -> MinedExchanges:
    """Mine the whole log by batches.

    Without a language model, several batches are mined in parallel.
    """
    batches = list_batches(messages)
    units = [batches[start : start + BATCHES_PER_UNIT] for start in range(0, len(batches), BATCHES_PER_UNIT)]
    work = partial(_mine_batches, miners=miners, labels=labels)
    results = map(work, units) if any_needs_model(miners) else parallel_map(work, units)
    parts = list(tqdm(results, total=len(units), desc="mine", unit=f"{BATCHES_PER_UNIT} batches", disable=None))
    return MinedExchanges(
        signals=pl.concat(part.signals for part in parts),
        labelled=pl.concat(part.labelled for part in parts),
        n_exchanges=sum(part.n_exchanges for part in parts),
        n_by_language=sum((part.n_by_language for part in parts), Counter()),
    )


def _mine_batches(batches: Sequence[RowGroup], miners: Sequence[Miner], labels: pl.DataFrame) -> MinedExchanges:
    n_by_language = Counter[str | None]()
    parts = []
    for batch in batches:
        messages = read_batch(batch, schemas.MESSAGES)
        n_by_language.update(dict(messages.filter(message_index=0)["language"].value_counts().iter_rows()))
        parts.append(build_exchanges(messages))
    exchanges = pl.concat(parts)
    return MinedExchanges(
        signals=run_miners(exchanges, miners),
        labelled=exchanges.join(labels, on=REPLY_KEY, how="semi").select(*REPLY_KEY, "user_key"),
        n_exchanges=exchanges.height,
        n_by_language=n_by_language,
    )


if __name__ == "__main__":
    command(main)
