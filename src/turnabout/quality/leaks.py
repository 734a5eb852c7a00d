"""Prompt leaks: words that the person said only after the reply, inside the prompt that a reply is asked for.

Such a pair teaches to answer what nobody has said yet. What the person had said before already (a question they
repeat) is no leak.
"""

import polars as pl

from turnabout.quality.dropping import dropped
from turnabout.text.word_ngrams import grams, hashed_words

#: Shared words in a row that make a leak; shorter messages are too common to tell.
N = 8


def without_leaks(pairs: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    """The pairs without those whose prompt has an 8-gram of a later user message of the same conversation.

    Of two prompts it is that of the rejected reply: such a pair stands at its place.
    """
    kept = pairs.filter("keep")
    talk = messages.join(kept, on="conversation_id", how="semi", maintain_order="left")
    said = _grams(talk.select("conversation_id", "message_index", "role", "text"), "text")
    own = pl.coalesce("rejected_prompt", "prompt")
    asked = kept.select("pair_id", "conversation_id", "reply_index", prompt=own).explode("prompt").unnest("prompt")
    shared = _grams(asked.drop("role"), "content").join(said, on=["conversation_id", "gram"])
    after = (pl.col("message_index") > pl.col("reply_index")) & (pl.col("role") == "user")
    before = pl.col("message_index") < pl.col("reply_index")
    leaks = (
        shared.group_by("pair_id", "gram")
        .agg(after=after.any(), before=before.any())
        .filter("after", ~pl.col("before"))
    )
    return dropped(pairs, pl.col("pair_id").is_in(leaks["pair_id"].implode()), "prompt leaks what was said later")


def _grams(texts: pl.DataFrame, column: str) -> pl.DataFrame:
    """One row per word 8-gram (`gram`, a hash) of each text, with the row's other columns."""
    found = grams(hashed_words(texts[column]), N)
    return texts.drop(column)[found.rows].with_columns(gram=found.hashes)
