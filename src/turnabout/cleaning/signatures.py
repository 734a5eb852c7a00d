"""MinHash signatures of conversations (Broder 1997).

The expected share of equal slots of two signatures is the Jaccard similarity of their sets of shingles.
"""

import numpy as np
import numpy.typing as npt
import polars as pl

from turnabout.text.word_ngrams import HASHED_BY, HashedWords, hash_ngrams, hash_words

Signatures = npt.NDArray[np.uint8]

#: Slots of a signature, one byte each.
SLOTS = 64

#: Words of a shingle: 3, not the 5 usual for documents, because a chat message has few words.
SHINGLE_WORDS = 3

SEED = 1


def describe_method() -> str:
    """Return what a signature depends on: library, sizes and word hash.

    Signatures of different methods cannot be compared.
    """
    from rensa import RMinHash

    return f"rensa {RMinHash.ALGORITHM_VERSION}, {SLOTS} slots of {SHINGLE_WORDS} words, {HASHED_BY}"


def sign_conversations(messages: pl.DataFrame) -> tuple[pl.Series, Signatures]:
    """Return the ids and signatures of the conversations, in order of arrival.

    Conversations of fewer than `SHINGLE_WORDS` words are left out. Shingles run over the words of user and assistant in
    order, from one message into the next. The lowest byte of each slot is kept (b-bit minwise hashing, Li & König 2010,
    b = 8), so a signature has 64 bytes.
    """
    dialogue = messages.filter(pl.col("role").is_in(["user", "assistant"]))
    ids = dialogue["conversation_id"].rle().struct.field("value").alias("conversation_id")
    words = hash_words(dialogue["text"])
    row_of_message = dialogue["conversation_id"].rle_id().to_numpy().astype(np.int64)
    shingles = hash_ngrams(HashedWords(row_of_message[words.rows], words.hashes), SHINGLE_WORDS)
    rows, first = np.unique(shingles.rows, return_index=True)
    return ids.gather(rows), _compute_signatures(shingles.hashes, np.append(first, len(shingles.rows)))


def _compute_signatures(hashes: npt.NDArray[np.uint64], offsets: npt.NDArray[np.int64]) -> Signatures:
    """Return a signature for each range of `hashes` between two offsets.

    The result has the shape (len(offsets) - 1, SLOTS).
    """
    from rensa import RMinHash

    digests = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets.astype(np.uint64), SLOTS, SEED)
    return (np.array(digests.to_rows(), np.uint32) & 0xFF).astype(np.uint8).reshape(-1, SLOTS)


def estimate_similarity(one: Signatures, other: Signatures) -> npt.NDArray[np.float64]:
    """Return the estimated Jaccard similarity of the signatures, row by row.

    It is the share of equal slots, corrected for the slots that are equal by chance (1 in 256).
    """
    equal = (one == other).mean(axis=-1)
    return np.clip((equal - 1 / 256) / (255 / 256), 0, 1)
