"""Stage: conversations in, one high-level intent for each of a sample per split out."""

from pathlib import Path

import polars as pl

from stages._command import command
from stages._models import open_author
from turnabout import schemas
from turnabout.conversations import sample_conversations
from turnabout.intents import intents as write_intents
from turnabout.io import read_frame, write_frame, write_json
from turnabout.params import load_params


def main(
    messages: Path, splits: Path, model: Path, intents: Path, metrics: Path, params: Path = Path("params.yaml")
) -> None:
    loaded = load_params(params)
    settings, assigned = loaded.intend, read_frame(splits, schemas.SPLITS)
    wanted = sample_conversations(assigned, settings.conversations.model_dump(), loaded.seed)
    said = read_frame(messages, schemas.MESSAGES).join(wanted, on="conversation_id", how="semi")
    author = open_author(settings.author, model, loaded.backbone.dtype, settings.batch_size)
    written = write_intents(said, author, settings.max_prompt_tokens, settings.max_new_tokens, loaded.seed)
    write_frame(written, intents, schemas.INTENTS)
    words = pl.col("intent").str.split(" ").list.len().mean()
    write_json(
        {
            "n_intents": written.height,
            "n_fallback": written.filter(author="fallback").height,
            "n_leaks": written["leaks"].sum(),
            "fallback_by_reason": dict(
                written.drop_nulls("reason").group_by("reason").len().sort("reason").iter_rows()
            ),
            "mean_words": written.select(words).item(),
        },
        metrics,
    )


if __name__ == "__main__":
    command(main)
