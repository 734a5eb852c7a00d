"""Quality filters that need the pairs and the logs alone.

Each has the shape of `base.Filter.apply` and is declared, in the order of application, in `settings.Quality`.
"""

import polars as pl

from turnabout.quality.base import FilterContext, drop_pairs, is_comparable
from turnabout.text.word_ngrams import extract_words, hash_ngrams, hash_words

#: Shared words in a row that make a leak; shorter messages are too common to be evidence of one.
LEAK_WORDS = 8

#: Columns that two pairs share that compare the same two replies to the same prompt in the same split.
QUESTION = ["split", "prompt_text", "first", "second"]

CHOSEN_LENGTH = pl.col("chosen").str.len_chars()
REJECTED_LENGTH = pl.col("rejected").str.len_chars()


def drop_leaks(pairs: pl.DataFrame, _enabled: bool, context: FilterContext) -> pl.DataFrame:
    """Drop pairs whose prompt has words that the user wrote after the reply.

    A leak is an 8-gram of words of a later user message of the same conversation. Such a pair teaches the policy to
    answer what the user has not said yet. What the user had written before already (a question they repeat) is no leak.
    Where a pair has two prompts, the rejected reply's prompt counts, because the pair belongs to that conversation.
    """
    kept = pairs.filter("keep")
    logged = context.messages.join(kept, on="conversation_id", how="semi", maintain_order="left")
    logged_ngrams = _add_ngrams(logged.select("conversation_id", "message_index", "role", "text"), "text")
    own_prompt = pl.coalesce("rejected_prompt", "prompt")
    prompts = kept.select("pair_id", "conversation_id", "reply_index", prompt=own_prompt)
    prompt_ngrams = _add_ngrams(prompts.explode("prompt").unnest("prompt").drop("role"), "content")
    is_later = (pl.col("message_index") > pl.col("reply_index")) & (pl.col("role") == "user")
    is_earlier = pl.col("message_index") < pl.col("reply_index")
    leaks = (
        prompt_ngrams.join(logged_ngrams, on=["conversation_id", "ngram"])
        .group_by("pair_id", "ngram")
        .agg(is_later=is_later.any(), is_earlier=is_earlier.any())
        .filter("is_later", ~pl.col("is_earlier"))
    )
    has_leak = pl.col("pair_id").is_in(leaks["pair_id"].implode())
    return drop_pairs(pairs, has_leak, "prompt leaks what was said later")


def _add_ngrams(texts: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return one row per word n-gram (`ngram`, a hash) of each text.

    The other columns are repeated.
    """
    ngrams = hash_ngrams(hash_words(texts[column]), LEAK_WORDS)
    return texts.drop(column)[ngrams.rows].with_columns(ngram=ngrams.hashes)


def drop_contradictions(pairs: pl.DataFrame, _enabled: bool, _context: FilterContext) -> pl.DataFrame:
    """Drop pairs that other pairs contradict with at least as much weight.

    A contradiction prefers the opposite between the same two replies to the same prompt; the reason names the first
    pair that does. The weights of one direction add up, so the heavier direction stays, and of equally heavy ones both
    are dropped, since neither is known to be right. Replies are the same if they have the same words. Pairs are
    compared within their split alone: different preferences of held-out people are what they are held out for.
    """
    preferences = _find_preferences(pairs)
    directions = preferences.group_by(*QUESTION, "prefers_first").agg(pl.col("weight").sum(), pl.col("pair_id").min())
    opposite = directions.with_columns(~pl.col("prefers_first"))
    outweighed = (
        preferences.drop("weight")
        .join(directions.drop("pair_id"), on=[*QUESTION, "prefers_first"])
        .join(opposite, on=[*QUESTION, "prefers_first"], suffix="_opposite")
        .filter(pl.col("weight") <= pl.col("weight_opposite"))
    )
    contradicted = pairs.join(
        outweighed.select("pair_id", "pair_id_opposite"), on="pair_id", how="left", maintain_order="left"
    )
    reason = pl.format("contradiction: {} prefers the opposite", "pair_id_opposite")
    return drop_pairs(contradicted, pl.col("pair_id_opposite").is_not_null(), reason).drop("pair_id_opposite")


def _find_preferences(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return each comparable pair's weight, question and preferred reply."""
    prompt_text = pl.col("prompt").list.eval(pl.element().struct.json_encode()).list.join("\n")
    comparable = pairs.filter(is_comparable()).with_columns(prompt_text=prompt_text)
    return order_replies(comparable, "chosen", "rejected").select("pair_id", "weight", *QUESTION, "prefers_first")


def order_replies(preferences: pl.DataFrame, preferred: str, other: str) -> pl.DataFrame:
    """Return the rows with ordered replies and which of them is preferred.

    `first` and `second` are both replies' words in order; `prefers_first` says which one was preferred. Preferences
    between the same two replies can then be compared, whichever reply each prefers. Replies are the same if they have
    the same words, whatever their case and punctuation; rows of two such replies are left out.
    """
    in_words = preferences.with_columns(
        _preferred=extract_words(pl.col(preferred)).list.join(" "), _other=extract_words(pl.col(other)).list.join(" ")
    )
    return (
        in_words.filter(pl.col("_preferred") != pl.col("_other"))
        .with_columns(
            first=pl.min_horizontal("_preferred", "_other"),
            second=pl.max_horizontal("_preferred", "_other"),
            prefers_first=pl.col("_preferred") < pl.col("_other"),
        )
        .drop("_preferred", "_other")
    )


def drop_unequal_lengths(pairs: pl.DataFrame, max_ratio: float, _context: FilterContext) -> pl.DataFrame:
    """Drop pairs with one reply over `max_ratio` times as long as the other.

    Lengths are in characters. A pair of which length alone tells the sides apart teaches length (Singhal et al. 2023,
    arXiv 2310.03716).
    """
    has_both = pl.col("chosen").is_not_null() & pl.col("rejected").is_not_null()
    ratio = pl.max_horizontal(CHOSEN_LENGTH, REJECTED_LENGTH) / pl.min_horizontal(CHOSEN_LENGTH, REJECTED_LENGTH)
    return drop_pairs(pairs, has_both & (ratio > max_ratio), "lengths too far apart")


def drop_surplus_pairs(pairs: pl.DataFrame, max_per_person: int, _context: FilterContext) -> pl.DataFrame:
    """Drop a person's pairs beyond the `max_per_person` with the largest weight.

    A few people who write much must not decide what everybody's assistant learns. Equal weights are ranked by the
    widest margin, then by id. A conversation whose person the log does not name counts as a person.
    """
    person = pl.coalesce("user_key", "conversation_id")
    ranked = pairs.filter("keep").sort(
        "weight", pl.col("margin").abs(), "pair_id", descending=[True, True, False], nulls_last=True
    )
    surplus = ranked.filter(pl.int_range(pl.len()).over(person) >= max_per_person)["pair_id"]
    is_surplus = pl.col("pair_id").is_in(surplus.implode())
    return drop_pairs(pairs, is_surplus, f"beyond {max_per_person} pairs of one person")
