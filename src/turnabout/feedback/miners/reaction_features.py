"""What the learned miner looks at in an exchange: the follow-up's words and meaning, and what it repeats."""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from turnabout.feedback.miners.rules import Rules
from turnabout.text.sentence_vectors import sentence_vectors

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

#: Columns that words and pairs of words are hashed into.
WORDS = 2**14

#: Characters of a message that are read; what comes later is pasted text or a request of its own.
REACH = 400

#: How far each kind of feature may move the odds under one penalty: texts of unit length count twice, a rule thrice.
TEXT_SCALE, RULE_SCALE = 2.0, 3.0


def words_of(texts: list[str]) -> "csr_matrix":
    """Hashed words and pairs of words, each row of length 1, shape (texts, `WORDS`). No vocabulary is kept."""
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(ngram_range=(1, 2), n_features=WORDS, alternate_sign=False).transform(texts)


def surface_features(exchanges: pl.DataFrame) -> "csr_matrix":
    """What costs no sentence vector: words, rules, and the words shared with the user's previous turn."""
    from scipy.sparse import csr_matrix, hstack

    _, follow_up, previous = _texts(exchanges)
    shared = np.stack([_overlap(previous, follow_up, name) for name in ("token_set_ratio", "token_sort_ratio")], axis=1)
    rules = RULE_SCALE * _rules(exchanges)[:, None]
    return hstack([TEXT_SCALE * words_of(follow_up), csr_matrix(np.hstack([rules, TEXT_SCALE * shared]))]).tocsr()


def all_features(exchanges: pl.DataFrame) -> "csr_matrix":
    """Surface features, the follow-up's sentence vector, and how near it, the reply and the previous turn are."""
    from scipy.sparse import csr_matrix, hstack

    n = exchanges.height
    reply, follow_up, previous = _texts(exchanges)
    vectors = sentence_vectors([*reply, *follow_up, *previous])
    of_reply, of_follow_up, of_previous = vectors[:n], vectors[n : 2 * n], vectors[2 * n :]
    pairs = ((of_follow_up, of_reply), (of_follow_up, of_previous), (of_reply, of_previous))
    near = np.stack([(one * other).sum(axis=1) for one, other in pairs], axis=1)
    meaning = csr_matrix(TEXT_SCALE * np.hstack([of_follow_up, near]))
    return hstack([surface_features(exchanges), meaning]).tocsr()


def _texts(exchanges: pl.DataFrame) -> list[list[str]]:
    """The reply, the follow-up and the previous turn, each cut to `REACH`; a turn that is not there is empty."""
    columns = ("reply", "follow_up", "previous_user")
    return [exchanges[column].fill_null("").str.slice(0, REACH).to_list() for column in columns]


def _overlap(one: list[str], other: list[str], scorer: str) -> NDArray[np.float64]:
    """Share of common words, 0 to 1."""
    from rapidfuzz import fuzz
    from rapidfuzz.process import cpdist
    from rapidfuzz.utils import default_process

    return np.asarray(cpdist(one, other, scorer=getattr(fuzz, scorer), processor=default_process)) / 100.0


def _rules(exchanges: pl.DataFrame) -> NDArray[np.float64]:
    """How sure the rules are that each follow-up is dissatisfied, 0 to 1."""
    keys = ["conversation_id", "reply_index"]
    found = Rules().mine(exchanges).filter(pl.col("score") < 0, pl.col("category") != "revision")
    strongest = found.group_by(keys).agg(strength=(-pl.col("score") * pl.col("confidence")).max())
    joined = exchanges.select(keys).join(strongest, on=keys, how="left", maintain_order="left")
    return joined["strength"].fill_null(0.0).to_numpy()
