"""The development corpora as tables that miners read.

They lie in the folder `TURNABOUT_DEVELOPMENT_DATA`, by default ../shared/data.
"""

import os
from pathlib import Path
from typing import Any

import polars as pl

#: Feedback category of each reaction type of EURTAD (Petrak et al., EMNLP 2023). A user who ignores an error and goes
#: on does not react to it, so that type has no category; the benchmark is run with and without those turns.
CATEGORIES = {
    "Ask for Clarification": "clarification",
    "Make Aware With Correction": "correction",
    "Make Aware Without Correction": "complaint",
    "Repeat or Rephrase": "rephrase",
}
IGNORED = "Ignore and Continue"

#: A text without case, punctuation and spacing. Texts with the same normal form count as one text.
NORMALIZED_TEXT = (
    pl.col("follow_up")
    .str.to_lowercase()
    .str.replace_all(r"[^a-z0-9 ]", "")
    .str.split(" ")
    .list.filter(pl.element() != "")
    .list.join(" ")
)


def find_folder(given: Path | None = None) -> Path | None:
    """Return the folder of the corpora; None where there is no such folder."""
    path = given or Path(os.environ.get("TURNABOUT_DEVELOPMENT_DATA", "../shared/data"))
    return path if path.is_dir() else None


def load_eurtad(folder: Path) -> pl.DataFrame:
    """Return one row per distinct follow-up of EURTAD.

    Follow-ups are reactions to bad replies, and the last user turns of flawless dialogues. Columns are those of
    `fitting.EXAMPLES`, and `source` and `reaction` (the type; null in flawless dialogues). `group` is the dialogue,
    identified by its first two user turns.
    """
    items = pl.read_parquet(folder / "eurtad.parquet")
    rows = pl.DataFrame([_build_eurtad_row(item) for item in items.iter_rows(named=True)], infer_schema_length=None)
    spoken = rows.with_columns(plain=NORMALIZED_TEXT).filter(pl.col("plain") != "", pl.col("follow_up") != "<SILENCE>")
    distinct = spoken.sort("reaction", nulls_last=True, maintain_order=True).unique("plain", maintain_order=True)
    return distinct.with_columns(category=pl.col("reaction").replace_strict(CATEGORIES, default=None)).drop("plain")


def _build_eurtad_row(item: dict[str, Any]) -> dict[str, Any]:
    context = item["context"]
    if item["erroneous"]:
        reply, follow_up, before = item["error_text"], item["user_reaction"], context
    else:
        reply, follow_up, before = context[-2]["content"], context[-1]["content"], context[:-2]
    of_user = [message["content"] for message in before if message["role"] == "user"]
    return {
        "previous_user": of_user[-1] if of_user else None,
        "reply": reply,
        "follow_up": follow_up,
        "reaction": item["user_reaction_type"],
        "source": _get_source(item),
        "group": " / ".join([m["content"] for m in context if m["role"] == "user"][:2]),
    }


def _get_source(item: dict[str, Any]) -> str:
    """Return the dialogue collection of an item.

    Items of `tfd` name it in their id.
    """
    return item["source"] if item["source"] != "tfd" else item["item_id"].split("_")[1]


def load_dialogue_eval(folder: Path) -> pl.DataFrame:
    """Return one row per conversation of Dialogue-Eval.

    Columns are `conversation_id`, `worker`, `z_mean` and `messages`.
    """
    return pl.read_parquet(
        folder / "dialogue_eval.parquet", columns=["conversation_id", "worker", "z_mean", "messages"]
    )


def build_exchange_table(conversations: pl.DataFrame) -> pl.DataFrame:
    """Return conversations as `EXCHANGES`.

    Columns of `conversations` are `conversation_id`, `worker` and `messages`.
    """
    from turnabout.core import schemas
    from turnabout.core.conversations import build_exchanges

    flat = (
        conversations.select("conversation_id", user_key="worker", messages="messages")
        .explode("messages")
        .unnest("messages")
        .rename({"content": "text"})
        .with_columns(message_index=pl.int_range(pl.len(), dtype=pl.Int32).over("conversation_id"))
    )
    return build_exchanges(
        flat.with_columns(pl.lit(None, schemas.MESSAGES[name]).alias(name) for name in ABSENT_COLUMNS)
    )


#: Columns of `schemas.MESSAGES` that exchanges read and these corpora do not have.
ABSENT_COLUMNS = ("rating", "reaction", "edited_text", "alternatives", "preferences", "extras")
