"""Section "Simulated conversations": the same intent with every assistant."""

from typing import Any

import polars as pl

from turnabout.report.inputs import Inputs

PLAYERS = {"trained": "the trained user model", "prompted": "an assistant prompted to act as the person"}

ENDINGS = {
    "end_token": "the simulated person ended it",
    "silence": "the simulated person wrote nothing",
    "max_turns": "stopped at the maximum length",
}


def build_context(inputs: Inputs) -> dict[str, Any]:
    """Return the simulator's faults by assistant, and the first tasks.

    A task has the conversations of all assistants.
    """
    return {
        "assistants": inputs.assistants,
        "counts": {name: inputs.metrics.get(f"simulate/{name}", {}) for name in inputs.assistants},
        "simulators": describe_simulators(inputs),
        "tasks": collect_tasks(inputs),
        "endings": ENDINGS,
    }


def describe_simulators(inputs: Inputs) -> list[str]:
    """Say who played the user in the rollouts.

    The rollouts name a simulator as `kind:model`. There is one trained user model, so its name is left out.
    """
    names = pl.concat([table.select("simulator") for table in inputs.rollouts.values()])
    simulators = [name.partition(":") for name in names["simulator"].drop_nulls().unique().sort()]
    return [PLAYERS[kind] + (f" ({model})" if kind == "prompted" else "") for kind, _, model in simulators]


def collect_tasks(inputs: Inputs) -> list[dict[str, Any]]:
    """Return the first `examples` tasks that any assistant met.

    A task has its intent, and each assistant's messages in order.
    """
    rollouts = pl.concat([table.with_columns(assistant=pl.lit(name)) for name, table in inputs.rollouts.items()]).sort(
        "task_id", "turn"
    )
    tasks = []
    for task_id in rollouts["task_id"].unique().sort().head(inputs.examples):
        rows = rollouts.filter(task_id=task_id)
        columns = {name: rows.filter(assistant=name).to_dicts() for name in inputs.assistants}
        tasks.append({"task_id": task_id, "intent": rows["intent"][0], "columns": columns})
    return tasks
