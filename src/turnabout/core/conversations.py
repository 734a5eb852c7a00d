"""Views of the message table: exchanges, message histories and samples.

An exchange is an assistant reply with the user messages before and after it.
"""

import hashlib
from collections.abc import Mapping

import polars as pl

#: One assistant reply with the user messages around it; null if the conversation has none.
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

#: Columns that identify one assistant reply, and the exchange around it.
REPLY_KEY = ["conversation_id", "reply_index"]


def build_exchanges(messages: pl.DataFrame) -> pl.DataFrame:
    """Build one row per assistant reply (`EXCHANGES`), sorted.

    `previous_user` is the nearest user message before the reply. `follow_up` is the user message directly after it; if
    an assistant or tool message comes between, the user reacts to that later message. A branch of a message tree
    repeats the messages before it, so exchanges that end within its first `n_shared` messages belong to another
    conversation and are left out.
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
        .join(count_shared_messages(messages), on="conversation_id", how="left")
        .filter(pl.coalesce("evidence_index", "reply_index") >= pl.col("n_shared").fill_null(0))
        .select(list(EXCHANGES))
        .sort("conversation_id", "reply_index")
    )


def count_shared_messages(messages: pl.DataFrame) -> pl.DataFrame:
    """Return `n_shared` of conversations that repeat messages of another one.

    The source states in `extras` how many messages are repeated.
    """
    branches = messages.filter(pl.col("message_index") == 0, pl.col("extras").str.contains('"n_shared"', literal=True))
    n_shared = pl.col("extras").str.json_path_match("$.conversation.n_shared").cast(pl.Int32, strict=False)
    return branches.select("conversation_id", n_shared=n_shared)


def add_histories(messages: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """Add column `prompt` to `wanted`: the messages before index `before`.

    `wanted` has the columns `conversation_id` and `before`. The messages are in order, without tool messages; `prompt`
    is null if there are none. Each history is looked up in the flat table, so none is stored per turn.
    """
    keyed = wanted.with_row_index("wanted_row")
    texts = messages.filter(pl.col("role") != "tool")
    history = (
        keyed.select("wanted_row", "conversation_id", "before")
        .join(texts.select("conversation_id", "message_index", "role", "text"), on="conversation_id")
        .filter(pl.col("message_index") < pl.col("before"))
        .sort("wanted_row", "message_index")
        .group_by("wanted_row", maintain_order=True)
        .agg(prompt=pl.struct("role", content="text"))
    )
    return keyed.join(history, on="wanted_row", how="left", maintain_order="left").drop("wanted_row")


def sample_conversations(splits: pl.DataFrame, per_split: Mapping[str, int | None], seed: int) -> pl.DataFrame:
    """Sample at most `per_split[split]` conversations of each split.

    None takes all. The result is sorted. Conversations are ranked by a hash of their id, so that a growing log
    changes the sample only where new conversations rank before old ones.
    """
    ranked = splits.filter(pl.col("split").is_in(list(per_split))).sort(rank_by_hash(seed, "conversation_id"))
    parts = [
        part if (most := per_split[split]) is None else part.head(most)
        for (split,), part in ranked.partition_by("split", as_dict=True).items()
    ]
    return pl.concat(parts or [ranked]).sort("conversation_id")


def drop_test_split(splits: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of `schemas.SPLITS` in the train and validation splits.

    Nothing may be fitted to, built from or labelled in a conversation of the test split.
    """
    return splits.filter(pl.col("split").is_in(["train", "validation"]))


def rank_by_hash(seed: int, *columns: str) -> pl.Expr:
    """Return a sort key that shuffles rows by content.

    It is the SHA-256 of the seed and the columns, so it does not depend on library versions.
    """
    text = pl.concat_str(pl.lit(str(seed)), *columns, separator=":")
    return text.map_elements(lambda value: hashlib.sha256(value.encode()).hexdigest(), pl.String)
