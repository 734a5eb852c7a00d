"""Stage: simulate conversations of a user model with an assistant."""

from pathlib import Path
from typing import Any

import polars as pl

from stages._command import command
from stages._models import open_checkpoint_generator
from turnabout.core import schemas
from turnabout.core.conversations import sample_conversations
from turnabout.core.io import read_frame, write_frame, write_json
from turnabout.models.context_length import check_context
from turnabout.params import load_params
from turnabout.simulation.guards import FAULTS
from turnabout.simulation.rollouts import CUT_OFF, simulate_conversations
from turnabout.simulation.users import PromptedUser, TrainedUser, User


def main(
    *,
    samples: Path,
    backbone: Path,
    user: Path,
    assistant: Path,
    name: str,
    rollouts: Path,
    metrics: Path,
    params: Path = Path("params.yaml"),
) -> None:
    """Load the models, simulate, and write the conversations and their counts."""
    loaded = load_params(params)
    settings, dtype = loaded.simulate, loaded.backbone.dtype
    batch_size = settings.conversations
    is_trained = settings.user == "trained"
    if is_trained:
        user_generator = open_checkpoint_generator(user, dtype, "user", batch_size)
    else:
        user_generator = open_checkpoint_generator(backbone, dtype, "assistant", batch_size)
    simulated_user: User = TrainedUser(user_generator) if is_trained else PromptedUser(user_generator)
    policy = open_checkpoint_generator(assistant, dtype, "assistant", batch_size)
    prompt_tokens = {"simulate.max_prompt_tokens": settings.max_prompt_tokens}
    check_context(user_generator.checkpoint, {**prompt_tokens, "simulate.user_tokens": settings.user_tokens})
    check_context(policy.checkpoint, {**prompt_tokens, "simulate.assistant_tokens": settings.assistant_tokens})
    tasks = sample_conversations(
        read_frame(samples, schemas.USER_SAMPLES), {"test": settings.conversations}, loaded.seed
    )
    table = simulate_conversations(
        simulated_user,
        policy,
        tasks,
        chat=policy.checkpoint.chat,
        settings=settings,
        policy=name,
        seed=loaded.seed,
    )
    write_frame(table, rollouts, schemas.ROLLOUTS)
    write_json(summarize_simulation(table), metrics)


def summarize_simulation(table: pl.DataFrame) -> dict[str, Any]:
    """Return counts of conversations, their endings and user faults."""
    n_conversations = table["conversation_id"].n_unique()
    ended_by = table.drop_nulls("ended_by").group_by("ended_by").len().sort("ended_by")
    faults = table.explode("faults").drop_nulls("faults").group_by("faults").len().sort("faults")
    n_replies = table.filter(role="assistant").height
    return {
        "simulator": table["simulator"].first(),
        "n_conversations": n_conversations,
        "mean_exchanges": n_replies / n_conversations if n_conversations else None,
        "ended_by": dict(ended_by.iter_rows()),
        "faults": dict.fromkeys((*FAULTS, CUT_OFF), 0) | dict(faults.iter_rows()),
        "resamples": int(table["resamples"].sum()),
    }


if __name__ == "__main__":
    command(main)
