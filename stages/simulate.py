"""Stage: a user model, an assistant and held-out intents in; simulated conversations out."""

from pathlib import Path
from typing import Any

import polars as pl

from stages._command import command
from stages._models import open_generator
from turnabout.core import schemas
from turnabout.core.conversations import sample_conversations
from turnabout.core.io import read_frame, write_frame, write_json
from turnabout.models.context_length import check_context
from turnabout.params import load_params
from turnabout.simulation.guards import FAULTS
from turnabout.simulation.rollouts import simulate
from turnabout.simulation.users import PromptedUser, TrainedUser, User


def main(
    samples: Path,
    backbone: Path,
    user: Path,
    assistant: Path,
    name: str,
    rollouts: Path,
    metrics: Path,
    params: Path = Path("params.yaml"),
) -> None:
    loaded = load_params(params)
    settings, dtype = loaded.simulate, loaded.backbone.dtype
    batch = settings.conversations
    trained = settings.user == "trained"
    player = (
        open_generator(user, dtype, "user", batch) if trained else open_generator(backbone, dtype, "assistant", batch)
    )
    speaker: User = TrainedUser(player) if trained else PromptedUser(player)
    policy = open_generator(assistant, dtype, "assistant", batch)
    most = {"simulate.max_prompt_tokens": settings.max_prompt_tokens}
    check_context(player.checkpoint, {**most, "simulate.user_tokens": settings.user_tokens})
    check_context(policy.checkpoint, {**most, "simulate.assistant_tokens": settings.assistant_tokens})
    tasks = sample_conversations(
        read_frame(samples, schemas.USER_SAMPLES), {"test": settings.conversations}, loaded.seed
    )
    table = simulate(speaker, policy, policy.checkpoint.chat, tasks, settings, name, loaded.seed)
    write_frame(table, rollouts, schemas.ROLLOUTS)
    write_json(counts(table), metrics)


def counts(table: pl.DataFrame) -> dict[str, Any]:
    """Conversations, their mean number of exchanges, how they ended, and the simulator's faults by kind."""
    n = table["conversation_id"].n_unique()
    ended = table.drop_nulls("ended_by").group_by("ended_by").len().sort("ended_by")
    faults = table.explode("faults").drop_nulls("faults").group_by("faults").len().sort("faults")
    return {
        "simulator": table["simulator"].first(),
        "n_conversations": n,
        "mean_exchanges": table.filter(role="assistant").height / n if n else None,
        "ended_by": dict(ended.iter_rows()),
        "faults": dict.fromkeys(FAULTS, 0) | dict(faults.iter_rows()),
        "resamples": int(table["resamples"].sum()),
    }


if __name__ == "__main__":
    command(main)
