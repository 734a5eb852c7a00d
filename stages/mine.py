"""Stage: messages in, the feedback people left in passing out, with its accuracy where people labelled a sample."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import polars as pl
from tqdm import tqdm

from stages._command import command
from turnabout.core import schemas
from turnabout.core.conversations import build_exchanges
from turnabout.core.io import RowGroup, list_batches, read_batch, read_frame, write_frame, write_json
from turnabout.core.parallel import parallel_map
from turnabout.feedback.base import Miner, ModelMiner, count_failures
from turnabout.feedback.ensemble import REPLY, SHIPPED_WEIGHTS, refit_weights
from turnabout.feedback.mining import run_miners, combine_signals, summarise_mining
from turnabout.labels.accuracy import measure_mining_accuracy, prepare_labels, check_precision
from turnabout.labels.tables import LABELS_FILE, SAMPLE_FILE, read_labels, read_csv_table, drop_test_labels
from turnabout.params import Params, load_params

LEFT_OUT = f"left out: their exchanges are no longer in the log, in the test split, or not in labels/{SAMPLE_FILE}"
#: Batches searched at once: polars compiles the rules anew for each search, which costs as much as searching a batch.
TOGETHER = 4

UNKNOWN = "accuracy unknown on this log: let people judge a sample of it with `turnabout label`"


def main(
    messages: Path,
    feedback: Path,
    metrics: Path,
    model: Path = Path("models/backbone"),
    labels: Path = Path("labels"),
    splits: Path = Path("data/splits.parquet"),
    params: Path = Path("params.yaml"),
) -> None:
    """Run every miner of `mine.miners`; a log without feedback is an empty table and a warning, not an error.

    Table and figures are written before the gate on accuracy closes: what failed can be looked at and labelled further.
    """
    loaded = load_params(params)
    settings = loaded.mine
    all_labels = read_labels(labels / LABELS_FILE)
    people_said = drop_test_labels(all_labels, read_frame(splits, schemas.SPLITS)) if all_labels.height else all_labels
    sample = read_csv_table(labels / SAMPLE_FILE, schemas.LABEL_SAMPLE)
    miners = _ready(settings.miners, model, loaded)
    found, seen, n_exchanges = _search(messages, miners, people_said)
    judged = prepare_labels(people_said, sample, seen)
    result = combine_signals(found, refit_weights(found, judged, SHIPPED_WEIGHTS), settings.min_confidence)
    figures = summarise_mining(n_exchanges, result)
    figures["failed_by_miner"] = count_failures(miners)
    figures["warnings"] += [f"no usable answers for '{name}': {n}" for name, n in figures["failed_by_miner"].items()]
    figures["n_labels_left_out"] = n_left_out = all_labels.height - judged.height
    if n_left_out:
        figures["warnings"].append(f"{n_left_out} of {all_labels.height} labels {LEFT_OUT}")
    if judged.height:
        figures["accuracy"] = measure_mining_accuracy(found, judged, SHIPPED_WEIGHTS, settings.min_confidence, loaded.seed)
    else:
        figures["warnings"].append(UNKNOWN)
    write_frame(result.signals, feedback, schemas.FEEDBACK)
    write_json(figures, metrics)
    for warning in figures["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)
    if judged.height:
        check_precision(figures["accuracy"], settings.min_precision.model_dump())


class Searched(NamedTuple):
    """What was found in a batch or a log: signals, the person behind each labelled exchange, how many exchanges."""

    found: pl.DataFrame
    seen: pl.DataFrame
    n_exchanges: int


def _search(messages: Path, miners: Sequence[Miner], labels: pl.DataFrame) -> Searched:
    """What the miners find in the whole log, a batch at a time; without a language model, several batches at once."""
    batches = list_batches(messages)
    units = [batches[start : start + TOGETHER] for start in range(0, len(batches), TOGETHER)]
    work = partial(_search_batches, miners=miners, labels=labels)
    with_model = any(isinstance(miner, ModelMiner) for miner in miners)
    parts = map(work, units) if with_model else parallel_map(work, units)
    shown = tqdm(parts, total=len(units), desc="mine", unit=f"{TOGETHER} batches", disable=None)
    found, seen, n_exchanges = zip(*shown, strict=True)
    return Searched(pl.concat(found), pl.concat(seen), sum(n_exchanges))


def _search_batches(batches: Sequence[RowGroup], miners: Sequence[Miner], labels: pl.DataFrame) -> Searched:
    replies = pl.concat(build_exchanges(read_batch(batch, schemas.MESSAGES)) for batch in batches)
    seen = replies.join(labels, on=REPLY, how="semi").select(*REPLY, "user_key")
    return Searched(run_miners(replies, miners), seen, replies.height)


def _ready(miners: Sequence[Miner], model: Path, loaded: Params) -> list[Miner]:
    """The miners, those that need a language model with it at hand; it is opened once, and only for them."""
    if not any(isinstance(miner, ModelMiner) for miner in miners):
        return list(miners)
    from stages._language_model import open_language_model

    at_hand = open_language_model(loaded.mine, model, loaded.backbone.dtype, loaded.seed)
    return [miner.with_model(at_hand) if isinstance(miner, ModelMiner) else miner for miner in miners]


if __name__ == "__main__":
    command(main)
