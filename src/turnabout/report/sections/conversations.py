"""Simulated conversations: the same person's wish put to every assistant, side by side."""

from typing import Any

import polars as pl

from turnabout.report.inputs import Inputs

PLAYERS = {"trained": "the trained user model", "prompted": "an assistant told to act as the person"}

ENDINGS = {
    "end_token": "the simulated person left",
    "silence": "the simulated person wrote nothing",
    "max_turns": "stopped at the longest length allowed",
}


def build_context(inputs: Inputs) -> dict[str, Any]:
    """The simulator's faults by assistant, and the first tasks with everybody's conversation."""
    return {
        "assistants": inputs.assistants,
        "counts": {name: inputs.metrics.get(f"simulate/{name}", {}) for name in inputs.assistants},
        "simulators": describe_simulators(inputs),
        "tasks": collect_tasks(inputs),
        "endings": ENDINGS,
    }


def describe_simulators(inputs: Inputs) -> list[str]:
    """Who played the person, in words, from `kind:model` in the rollouts; there is one trained user model."""
    names = pl.concat([table.select("simulator") for table in inputs.rollouts.values()])
    found = [name.partition(":") for name in names["simulator"].drop_nulls().unique().sort()]
    return [PLAYERS[kind] + (f" ({model})" if kind == "prompted" else "") for kind, _, model in found]


def collect_tasks(inputs: Inputs) -> list[dict[str, Any]]:
    """The first `examples` tasks that any assistant met: the intent, and each assistant's messages in order."""
    everything = pl.concat(
        [table.with_columns(assistant=pl.lit(name)) for name, table in inputs.rollouts.items()]
    ).sort("task_id", "turn")
    first = everything["task_id"].unique().sort().head(inputs.examples)
    return [
        {
            "task_id": task,
            "intent": everything.filter(task_id=task)["intent"][0],
            "columns": {name: everything.filter(task_id=task, assistant=name).to_dicts() for name in inputs.assistants},
        }
        for task in first
    ]
