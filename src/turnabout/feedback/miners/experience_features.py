"""What the experience miner looks at in a whole conversation: the user's words and manner, and who repeats whom."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from turnabout.feedback.miners.reaction_features import REACH, TEXT_SCALE, words_of
from turnabout.text.sentence_vectors import sentence_vectors

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Array = NDArray[np.float64]
Vectors = NDArray[np.floating[Any]]

#: Bring manner and relations, which differ by about 0.5 and 0.1 between conversations, to the reach that helps.
MANNER_SCALE, RELATION_SCALE = 0.2, 5.0


class Said(NamedTuple):
    """One conversation: K replies, the user turn before each, and what the user said after the last, if anything."""

    user: list[str]
    replies: list[str]


def conversations_of(exchanges: pl.DataFrame) -> tuple[list[str], list[Said]]:
    """Ids, sorted, and what was said. Texts are cut to `REACH`."""
    texts = pl.col("previous_user", "reply", "follow_up").fill_null("").str.slice(0, REACH)
    grouped = (
        exchanges.sort("conversation_id", "reply_index")
        .select("conversation_id", texts)
        .group_by("conversation_id", maintain_order=True)
        .agg("previous_user", "reply", pl.col("follow_up").last())
    )
    said = [Said([*row["previous_user"], row["follow_up"]], row["reply"]) for row in grouped.iter_rows(named=True)]
    return grouped["conversation_id"].to_list(), said


def experience_features(said: list[Said]) -> "csr_matrix":
    """The user's side, then the relations, one row per conversation."""
    from scipy.sparse import hstack

    return hstack([user_features(said), relation_features(said)]).tocsr()


def user_features(said: list[Said]) -> "csr_matrix":
    """The user's side alone: hashed words of all turns, and the manner of writing."""
    from scipy.sparse import csr_matrix, hstack

    words = words_of(["\n".join(conversation.user) for conversation in said])
    manner = np.array([manner_of([turn for turn in conversation.user if turn.strip()]) for conversation in said])
    return hstack([TEXT_SCALE * words, csr_matrix(MANNER_SCALE * manner)]).tocsr()


def relation_features(said: list[Said]) -> "csr_matrix":
    """How near turns and replies are to each other, by hashed words and by sentence vectors."""
    from scipy.sparse import csr_matrix

    texts = [text for conversation in said for text in (*conversation.user, *conversation.replies)]
    by_words, by_meaning = words_of(texts), sentence_vectors(texts)
    rows, start = [], 0
    for conversation in said:
        n_user, end = len(conversation.user), start + len(conversation.user) + len(conversation.replies)
        views = (by_words[start:end].toarray(), by_meaning[start:end])
        rows.append(np.concatenate([relations(view[:n_user], view[n_user:]) for view in views]))
        start = end
    return csr_matrix(RELATION_SCALE * np.array(rows))


def manner_of(turns: list[str]) -> Array:
    """Length, its spread and trend, and shares of turns with a question, an exclamation, a capital, an end mark."""
    if not turns:
        return np.zeros(7)
    n_words = np.array([len(turn.split()) for turn in turns])
    late, early = n_words[len(turns) // 2 :].mean() + 1, n_words[: len(turns) // 2].sum() / max(len(turns) // 2, 1) + 1
    length = [np.log1p(n_words.mean()), n_words.std() / n_words.mean(), np.log(late / early)]
    marks = [["?" in t, "!" in t, t[0].isupper(), t.rstrip()[-1] in ".!?"] for t in turns]
    return np.array([*length, *np.mean(marks, axis=0)])


def relations(user: Vectors, replies: Vectors) -> Array:
    """Mean and extreme nearness of replies to turns, turns to the reply before, replies and turns to their like.

    `user` (K + 1, features) and `replies` (K, features) are unit vectors.
    """
    answer, uptake = (user[:-1] * replies).sum(axis=1), (user[1:] * replies).sum(axis=1)
    return np.array(
        [answer.mean(), answer.min(), uptake.mean(), uptake.min(), *_among(replies), *_among(user)], dtype=np.float64
    )


def _among(vectors: Vectors) -> tuple[float, float]:
    """Mean and greatest nearness of two different rows; 0 where there is one row."""
    pairs = (vectors @ vectors.T)[~np.eye(len(vectors), dtype=bool)]
    return (float(pairs.mean()), float(pairs.max())) if pairs.size else (0.0, 0.0)
