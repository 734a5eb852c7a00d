"""Pure views of the flat message table: exchanges (a reply and what the user said next) and message histories."""

import hashlib
from collections.abc import Mapping

import polars as pl

#: One assistant reply with the user turns round it; null where the conversation has none.
EXCHANGES = pl.Schema(
    {
        "conversation_id": pl.String(),
        "user_key": pl.String(),
        "previous_user": pl.String(),
        "reply_index": pl.Int32(),
        "reply": pl.String(),
        "evidence_index": pl.Int32(),
        "follow_up": pl.String(),
        "rating": pl.Float64(),
        "reaction": pl.String(),
        "edited_text": pl.String(),
        "alternatives": pl.List(pl.String()),
        "preferences": pl.List(pl.Float64()),
    }
)


def exchanges(messages: pl.DataFrame) -> pl.DataFrame:
    """One row per assistant reply (`EXCHANGES`), sorted: the user turn before it, the reply, the user turn after it.

    `previous_user` is the nearest user message before the reply. `follow_up` is the user message straight after it:
    where an assistant or tool message comes in between, that later one is what the user reacts to. A branch of a tree
    of messages repeats those before it: exchanges that end within its first `n_shared` stand in another conversation.
    """
    of_user = pl.when(pl.col("role") == "user")
    around = {
        "previous_user": of_user.then("text").forward_fill(),
        "user_key": of_user.then("user_key").forward_fill().backward_fill(),
        "follow_up": of_user.then("text").shift(-1),
        "evidence_index": of_user.then("message_index").shift(-1),
    }
    talk = messages.filter(pl.col("role") != "system").with_columns(
        view.over("conversation_id", order_by="message_index").alias(name) for name, view in around.items()
    )
    return (
        talk.filter(pl.col("role") == "assistant")
        .rename({"message_index": "reply_index", "text": "reply"})
        .join(repeated(messages), on="conversation_id", how="left")
        .filter(pl.coalesce("evidence_index", "reply_index") >= pl.col("n_shared").fill_null(0))
        .select(list(EXCHANGES))
        .sort("conversation_id", "reply_index")
    )


def repeated(messages: pl.DataFrame) -> pl.DataFrame:
    """`n_shared` of each conversation whose source says that it repeats so many messages at another one's beginning."""
    told = messages.filter(pl.col("message_index") == 0, pl.col("extras").str.contains('"n_shared"', literal=True))
    n_shared = pl.col("extras").str.json_path_match("$.conversation.n_shared").cast(pl.Int32, strict=False)
    return told.select("conversation_id", n_shared=n_shared)


def histories(messages: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """`wanted` (with `conversation_id`, `before`) plus `prompt`: the messages with an index below `before`.

    They are in order; `prompt` is null where there is none. The history of each wanted row is looked up in the flat
    table, never copied per turn.
    """
    keyed = wanted.with_row_index("wanted_row")
    said = messages.filter(pl.col("role") != "tool")
    history = (
        keyed.select("wanted_row", "conversation_id", "before")
        .join(said.select("conversation_id", "message_index", "role", "text"), on="conversation_id")
        .filter(pl.col("message_index") < pl.col("before"))
        .sort("wanted_row", "message_index")
        .group_by("wanted_row", maintain_order=True)
        .agg(prompt=pl.struct("role", content="text"))
    )
    return keyed.join(history, on="wanted_row", how="left", maintain_order="left").drop("wanted_row")


def sample_conversations(splits: pl.DataFrame, per_split: Mapping[str, int | None], seed: int) -> pl.DataFrame:
    """At most `per_split[split]` conversations of each split named, sorted; None takes all.

    Chosen by a hash of the id: as logs grow, the sample moves only as far as new conversations come before old ones.
    """
    ranked = splits.filter(pl.col("split").is_in(list(per_split))).sort(hash_rank(seed, "conversation_id"))
    parts = [
        part if (most := per_split[split]) is None else part.head(most)
        for (split,), part in ranked.partition_by("split", as_dict=True).items()
    ]
    return pl.concat(parts or [ranked]).sort("conversation_id")


def hash_rank(seed: int, *columns: str) -> pl.Expr:
    """A key that shuffles rows by their content: SHA-256 of the seed and the columns, the same in every version."""
    text = pl.concat_str(pl.lit(str(seed)), *columns, separator=":")
    return text.map_elements(lambda value: hashlib.sha256(value.encode()).hexdigest(), pl.String)
