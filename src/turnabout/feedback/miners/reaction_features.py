"""Features of an exchange for the miner `learned`.

They describe the follow-up's words and meaning, and what it repeats of the reply and the user's previous turn.
"""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from turnabout.core.conversations import REPLY_KEY
from turnabout.feedback.miners.rules import Rules
from turnabout.text.sentence_vectors import encode_sentences

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

#: Columns that words and pairs of words are hashed into.
N_HASHED_FEATURES = 2**14

#: Characters of a message that are read; what comes later is pasted text or a request of its own.
MAX_CHARS = 400

#: Scale of each kind of feature, which decides how far it may move the odds under one penalty: texts of unit length
#: count twice, a rule three times.
TEXT_SCALE, RULE_SCALE = 2.0, 3.0


def vectorize_words(texts: list[str]) -> "csr_matrix":
    """Hash words and pairs of words, shape (texts, `N_HASHED_FEATURES`).

    Each row has length 1. No vocabulary is kept.
    """
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(ngram_range=(1, 2), n_features=N_HASHED_FEATURES, alternate_sign=False).transform(texts)


def compute_surface_features(exchanges: pl.DataFrame) -> "csr_matrix":
    """Return the features that need no sentence vector.

    They are the follow-up's words, the rules, and the words shared with the user's previous turn.
    """
    from scipy.sparse import csr_matrix, hstack

    _, follow_up, previous = _read_texts(exchanges)
    scorers = ("token_set_ratio", "token_sort_ratio")
    overlap = np.stack([_compute_overlap(previous, follow_up, name) for name in scorers], axis=1)
    rules = RULE_SCALE * _apply_rules(exchanges)[:, None]
    return hstack(
        [TEXT_SCALE * vectorize_words(follow_up), csr_matrix(np.hstack([rules, TEXT_SCALE * overlap]))]
    ).tocsr()


def compute_all_features(exchanges: pl.DataFrame) -> "csr_matrix":
    """Return surface features, sentence vectors and cosine similarities.

    The sentence vector is the follow-up's. The cosines are of follow-up and reply, follow-up and previous turn, reply
    and previous turn.
    """
    from scipy.sparse import csr_matrix, hstack

    n = exchanges.height
    reply, follow_up, previous = _read_texts(exchanges)
    vectors = encode_sentences([*reply, *follow_up, *previous])
    of_reply, of_follow_up, of_previous = vectors[:n], vectors[n : 2 * n], vectors[2 * n :]
    pairs = ((of_follow_up, of_reply), (of_follow_up, of_previous), (of_reply, of_previous))
    cosines = np.stack([(one * other).sum(axis=1) for one, other in pairs], axis=1)
    meaning = csr_matrix(TEXT_SCALE * np.hstack([of_follow_up, cosines]))
    return hstack([compute_surface_features(exchanges), meaning]).tocsr()


def _read_texts(exchanges: pl.DataFrame) -> list[list[str]]:
    """Return replies, follow-ups and previous turns.

    Each is cut to `MAX_CHARS`; a missing turn is empty.
    """
    columns = ("reply", "follow_up", "previous_user")
    return [exchanges[column].fill_null("").str.slice(0, MAX_CHARS).to_list() for column in columns]


def _compute_overlap(one: list[str], other: list[str], scorer: str) -> NDArray[np.float64]:
    """Return the share of common words, 0 to 1, by a scorer of rapidfuzz."""
    from rapidfuzz import fuzz
    from rapidfuzz.process import cpdist
    from rapidfuzz.utils import default_process

    return np.asarray(cpdist(one, other, scorer=getattr(fuzz, scorer), processor=default_process)) / 100.0


def _apply_rules(exchanges: pl.DataFrame) -> NDArray[np.float64]:
    """Return the rules' strongest dissatisfaction per exchange, 0 to 1."""
    dissatisfied = Rules().mine(exchanges).filter(pl.col("score") < 0, pl.col("category") != "revision")
    strongest = dissatisfied.group_by(REPLY_KEY).agg(strength=(-pl.col("score") * pl.col("confidence")).max())
    joined = exchanges.select(REPLY_KEY).join(strongest, on=REPLY_KEY, how="left", maintain_order="left")
    return joined["strength"].fill_null(0.0).to_numpy()
