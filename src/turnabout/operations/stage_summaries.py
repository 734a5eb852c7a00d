"""One line on what a stage that ran read, wrote and dropped.

The figures come from the stage's metrics files.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from turnabout.core.io import read_json
from turnabout.pipeline.repro import Stage
from turnabout.report.figures import format_count

#: Greatest number of reasons in one line.
MAX_REASONS = 3

#: Order of the splits in a line.
SPLITS = ("train", "validation", "test")


class StageResult(NamedTuple):
    """The figures of a stage that ran."""

    stage: Stage
    metrics: Mapping[str, Any]
    """The content of the metrics file; of several files, the content of each by its name."""
    seconds: float


def summarize_stage(root: Path, stage: Stage, seconds: float) -> str:
    """Return what the stage read, wrote and dropped in `seconds`.

    Empty for a stage without metrics or without a formatter. A run must not fail because of its summary, so it is
    also empty where a figure is absent.
    """
    formatter = FORMATTERS.get(stage.name.partition("@")[0])
    files = {Path(path).stem: read_json(root / path) for path in stage.metrics if (root / path).exists()}
    if formatter is None or not files:
        return ""
    metrics = files if len(stage.metrics) > 1 else next(iter(files.values()))
    try:
        return formatter(StageResult(stage, metrics, seconds))
    except (KeyError, TypeError):
        return ""


def _summarize_backbone(result: StageResult) -> str:
    return f"{result.metrics['n_parameters'] / 1e6:,.1f} million parameters"


def _summarize_ingest(result: StageResult) -> str:
    metrics = result.metrics
    n_conversations, n_rejected = metrics["n_conversations"], metrics["n_rejected"]
    conversations = format_count(n_conversations, "conversation", "conversations")
    text = f"{format_count(metrics['n_messages'], 'message', 'messages')} of {conversations}"
    if n_forgotten := metrics["n_forgotten_conversations"]:
        text += f", {format_count(n_forgotten, 'conversation', 'conversations')} of forgotten people left out"
    if not n_rejected:
        return f"{text}, no record rejected"
    share = n_rejected / (n_rejected + n_conversations + n_forgotten)
    rejected = format_count(n_rejected, "record", "records")
    return f"{text}, {rejected} rejected ({100 * share:.0f} %){_name_quarantine(result.stage)}"


def _summarize_clean(result: StageResult) -> str:
    metrics = result.metrics
    kept = f"{metrics['n_messages']:,} of {metrics['n_messages_in']:,} messages"
    kept += f" of {metrics['n_conversations']:,} of {metrics['n_conversations_in']:,} conversations kept"
    dropped = _format_dropped(metrics["dropped_by_reason"])
    return f"{kept}{dropped}{_name_quarantine(result.stage) if dropped else ''}"


def _summarize_split(result: StageResult) -> str:
    people = result.metrics["users_by_split"]
    n_by_split = dict(result.metrics["conversations_by_split"])
    n_excluded = n_by_split.pop("excluded", 0)
    order = [split for split in SPLITS if split in n_by_split]
    splits = [f"{n_by_split[split]:,} conversations of {people[split]:,} people in {split}" for split in order]
    return ", ".join(splits) + (f", {n_excluded:,} conversations excluded" if n_excluded else "")


def _summarize_mine(result: StageResult) -> str:
    metrics = result.metrics
    return (
        f"{metrics['n_sat']:,} satisfied and {metrics['n_dsat']:,} dissatisfied reactions in "
        f"{metrics['n_exchanges']:,} exchanges"
    )


def _summarize_intend(result: StageResult) -> str:
    metrics = result.metrics
    reasons = _format_counts(metrics["fallback_by_reason"])
    fallback = f", {metrics['n_fallback']:,} of them the fallback ({reasons})" if metrics["n_fallback"] else ""
    return f"{metrics['n_intents']:,} intents{fallback}"


def _summarize_flip(result: StageResult) -> str:
    metrics = result.metrics
    by_split = _format_counts(metrics["samples_by_split"], limit=len(metrics["samples_by_split"]))
    return (
        f"{metrics['n_samples']:,} samples ({by_split}) of {metrics['n_conversations']:,} conversations"
        f"{_format_dropped(metrics['dropped_by_reason'])}"
    )


def _summarize_train_user(result: StageResult) -> str:
    metrics = result.metrics
    n_tokens = metrics["n_trained_tokens"]
    speed = f", {n_tokens / result.seconds:,.0f} tokens/s with loading" if result.seconds > 0 else ""
    return (
        f"{metrics['n_samples']:,} samples, {n_tokens:,} tokens{speed}, {_format_loss(metrics)}"
        f"{_format_dropped(metrics['dropped_by_reason'])}"
    )


def _summarize_augment(result: StageResult) -> str:
    counts = {name: entry for name, entry in result.metrics.items() if isinstance(entry, Mapping) and entry["n"]}
    tables = [f"{entry['kept']:,} of {entry['n']:,} {name} kept" for name, entry in counts.items()]
    replies = f"{result.metrics['n_replies']:,} of {result.metrics['n_criticised']:,} criticised replies"
    return ", ".join([replies, *tables])


def _summarize_build_pairs(result: StageResult) -> str:
    metrics = result.metrics
    by_split = _format_counts(metrics["kept_by_split"])
    kept = f"{metrics['n_kept']:,} of {metrics['n_pairs']:,} pairs kept" + (f" ({by_split})" if by_split else "")
    return kept + _format_dropped(metrics["dropped_by_reason"])


def _summarize_train_assistant(result: StageResult) -> str:
    metrics = result.metrics
    dropped = _format_dropped(metrics["dropped_by_reason"])
    if "reason" in metrics:
        return f"not trained{dropped}"  # the stage's warning has the reason
    return f"{metrics['n_pairs']:,} pairs, {_format_loss(metrics)}{dropped}"


def _summarize_train_reward(result: StageResult) -> str:
    metrics = result.metrics
    parts = [f"{metrics['n_train']:,} pairs to train on, {metrics['n_validation']:,} held out"]
    for split in ("train", "validation"):
        accuracy = metrics[f"{split}_accuracy"]["value"]
        if accuracy is not None:
            parts.append(f"{split} accuracy {accuracy:.2f}")
    return ", ".join(parts) + _format_dropped(metrics["skipped_by_reason"])


def _summarize_simulate(result: StageResult) -> str:
    metrics = result.metrics
    text = f"{metrics['n_conversations']:,} conversations"
    if metrics["mean_exchanges"] is None:
        return text
    endings = _format_counts(metrics["ended_by"], limit=len(metrics["ended_by"]))
    return f"{text} of {metrics['mean_exchanges']:.1f} exchanges on average, ended by {endings}"


def _summarize_evaluate(result: StageResult) -> str:
    user, assistants = result.metrics["user"], result.metrics["assistants"]
    names = [name for name in assistants if name != "simulated"]
    return (
        f"user model on {user['n_conversations']:,} conversations of {user['n_users']:,} people; "
        f"assistants compared: {', '.join(names)}"
    )


def _summarize_ablate(result: StageResult) -> str:
    training = result.metrics["training"]
    n_tokens, n_held_out = training["n_trained_tokens"], result.metrics["n_conversations"]
    return f"{n_tokens:,} tokens, {_format_loss(training)}; evaluated on {n_held_out:,} conversations"


def _summarize_compare(result: StageResult) -> str:
    return f"arms compared: {', '.join(result.metrics)}"


#: A formatter for each stage whose result can be said in a line, by the stage's name without its arm.
FORMATTERS: Mapping[str, Callable[[StageResult], str]] = {
    "backbone": _summarize_backbone,
    "ingest": _summarize_ingest,
    "clean": _summarize_clean,
    "split": _summarize_split,
    "mine": _summarize_mine,
    "intend": _summarize_intend,
    "flip": _summarize_flip,
    "train_user": _summarize_train_user,
    "augment": _summarize_augment,
    "build_pairs": _summarize_build_pairs,
    "train_assistant": _summarize_train_assistant,
    "train_reward": _summarize_train_reward,
    "simulate": _summarize_simulate,
    "simulate_untrained": _summarize_simulate,
    "evaluate": _summarize_evaluate,
    "ablate": _summarize_ablate,
    "compare": _summarize_compare,
}


def _format_loss(metrics: Mapping[str, Any]) -> str:
    return f"loss {metrics['first_loss']:.2f} → {metrics['last_loss']:.2f}"


def _format_dropped(n_by_reason: Mapping[str, int]) -> str:
    counts = _format_counts(n_by_reason)
    return f"; dropped: {counts}" if counts else ""


def _format_counts(n_by_name: Mapping[str, int], limit: int = MAX_REASONS) -> str:
    """Return the greatest counts above 0 as `name 1,745, other 3`."""
    counted = sorted((item for item in n_by_name.items() if item[1]), key=lambda item: (-item[1], item[0]))
    shown = [f"{name} {n:,}" for name, n in counted[:limit]]
    n_further = sum(n for _, n in counted[limit:])
    return ", ".join([*shown, *([f"other reasons {n_further:,}"] if n_further else [])])


def _name_quarantine(stage: Stage) -> str:
    """Return an arrow to the file of what the stage rejected or dropped."""
    return next((f" → {path}" for path in stage.outs if path.endswith("_quarantine.parquet")), "")
