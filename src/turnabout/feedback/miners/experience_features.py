"""Features of a whole conversation for the miner `experience`.

They describe the user's words and manner of writing, and how similar turns and replies are to each other.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from turnabout.core.conversations import REPLY_KEY
from turnabout.feedback.miners.reaction_features import MAX_CHARS, TEXT_SCALE, vectorize_words
from turnabout.text.sentence_vectors import encode_sentences

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Array = NDArray[np.float64]
Vectors = NDArray[np.floating[Any]]

#: Factors that bring manner and relations, which differ by about 0.5 and 0.1 between conversations, to a useful range.
MANNER_SCALE, RELATION_SCALE = 0.2, 5.0


class ConversationTexts(NamedTuple):
    """The texts of one conversation with K replies."""

    user: list[str]
    """K + 1 turns: the one before each reply, and the one after the last reply, empty where there is none."""
    replies: list[str]


def collect_conversations(exchanges: pl.DataFrame) -> tuple[list[str], list[ConversationTexts]]:
    """Return the conversation ids, sorted, and the conversations' texts.

    Each text is cut to `MAX_CHARS`.
    """
    texts = pl.col("previous_user", "reply", "follow_up").fill_null("").str.slice(0, MAX_CHARS)
    grouped = (
        exchanges.sort(REPLY_KEY)
        .select("conversation_id", texts)
        .group_by("conversation_id", maintain_order=True)
        .agg("previous_user", "reply", pl.col("follow_up").last())
    )
    conversations = [
        ConversationTexts([*row["previous_user"], row["follow_up"]], row["reply"])
        for row in grouped.iter_rows(named=True)
    ]
    return grouped["conversation_id"].to_list(), conversations


def compute_experience_features(conversations: list[ConversationTexts]) -> "csr_matrix":
    """Return user and relation features, one row per conversation."""
    from scipy.sparse import hstack

    return hstack([compute_user_features(conversations), compute_relation_features(conversations)]).tocsr()


def compute_user_features(conversations: list[ConversationTexts]) -> "csr_matrix":
    """Return features of the user's turns alone.

    They are hashed words and the manner of writing.
    """
    from scipy.sparse import csr_matrix, hstack

    words = vectorize_words(["\n".join(conversation.user) for conversation in conversations])
    manner = []
    for conversation in conversations:
        manner.append(measure_manner([turn for turn in conversation.user if turn.strip()]))
    return hstack([TEXT_SCALE * words, csr_matrix(MANNER_SCALE * np.array(manner))]).tocsr()


def compute_relation_features(conversations: list[ConversationTexts]) -> "csr_matrix":
    """Return similarities among turns and replies.

    They are measured by hashed words and by sentence vectors.
    """
    from scipy.sparse import csr_matrix

    texts: list[str] = []
    for conversation in conversations:
        texts += [*conversation.user, *conversation.replies]
    by_words, by_meaning = vectorize_words(texts), encode_sentences(texts)
    rows, start = [], 0
    for conversation in conversations:
        n_user, end = len(conversation.user), start + len(conversation.user) + len(conversation.replies)
        views = (by_words[start:end].toarray(), by_meaning[start:end])
        rows.append(np.concatenate([measure_relations(view[:n_user], view[n_user:]) for view in views]))
        start = end
    return csr_matrix(RELATION_SCALE * np.array(rows))


def measure_manner(turns: list[str]) -> Array:
    """Return seven figures of how somebody writes; zeros without turns.

    Mean length (log words), its relative spread and its trend (log ratio of later to earlier turns), then the shares of
    turns with a question mark, an exclamation mark, a capital at the beginning, and a punctuation mark at the end.
    """
    if not turns:
        return np.zeros(7)
    n_words = np.array([len(turn.split()) for turn in turns])
    half = len(turns) // 2
    late, early = n_words[half:].mean() + 1, n_words[:half].sum() / max(half, 1) + 1
    length = [np.log1p(n_words.mean()), n_words.std() / n_words.mean(), np.log(late / early)]
    marks = [["?" in t, "!" in t, t[0].isupper(), t.rstrip()[-1] in ".!?"] for t in turns]
    return np.array([*length, *np.mean(marks, axis=0)])


def measure_relations(user: Vectors, replies: Vectors) -> Array:
    """Return eight cosine similarities among turns and replies.

    `user` (K + 1, features) and `replies` (K, features) are unit vectors. In order: mean and minimum of each reply to
    the turn before it; mean and minimum of each reply to the turn after it; mean and maximum of two different replies;
    mean and maximum of two different turns.
    """
    answer, uptake = (user[:-1] * replies).sum(axis=1), (user[1:] * replies).sum(axis=1)
    similarities = [answer.mean(), answer.min(), uptake.mean(), uptake.min()]
    similarities += [*_compare_rows(replies), *_compare_rows(user)]
    return np.array(similarities, dtype=np.float64)


def _compare_rows(vectors: Vectors) -> tuple[float, float]:
    """Return mean and maximum similarity of two different rows.

    Both are 0 where there is one row.
    """
    pairs = (vectors @ vectors.T)[~np.eye(len(vectors), dtype=bool)]
    return (float(pairs.mean()), float(pairs.max())) if pairs.size else (0.0, 0.0)
