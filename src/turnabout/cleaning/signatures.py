"""Conversations as MinHash signatures (Broder 1997): equal slots in the share that their sets of shingles overlap."""

import numpy as np
import numpy.typing as npt
import polars as pl

from turnabout.text.word_ngrams import HASHED_BY, Words, grams, hashed_words

Signatures = npt.NDArray[np.uint8]

#: Slots of a signature, one byte each.
SLOTS = 64

#: Words of a shingle: 3, not the 5 usual for documents, because a chat message has few words.
SHINGLE = 3

SEED = 1


def method() -> str:
    """What a signature depends on; signatures of another method cannot be compared."""
    from rensa import RMinHash

    return f"rensa {RMinHash.ALGORITHM_VERSION}, {SLOTS} slots of {SHINGLE} words, {HASHED_BY}"


def sign(messages: pl.DataFrame) -> tuple[pl.Series, Signatures]:
    """Ids of the conversations with at least `SHINGLE` words, in order of arrival, and a signature each.

    Shingles run over the user's and the assistant's words in order, from one message into the next. Of each slot the
    lowest byte is kept (b-bit minwise hashing, Li & König 2010, b = 8): a signature is 64 bytes.
    """
    told = messages.filter(pl.col("role").is_in(["user", "assistant"]))
    ids = told["conversation_id"].rle().struct.field("value").alias("conversation_id")
    spoken = hashed_words(told["text"])
    row_of_message = told["conversation_id"].rle_id().to_numpy().astype(np.int64)
    shingles = grams(Words(row_of_message[spoken.rows], spoken.hashes), SHINGLE)
    rows, first = np.unique(shingles.rows, return_index=True)
    return ids.gather(rows), _signatures(shingles.hashes, np.append(first, len(shingles.rows)))


def _signatures(hashes: npt.NDArray[np.uint64], offsets: npt.NDArray[np.int64]) -> Signatures:
    """One signature for each stretch of `hashes` between two offsets."""
    from rensa import RMinHash

    digests = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets.astype(np.uint64), SLOTS, SEED)
    return (np.array(digests.to_rows(), np.uint32) & 0xFF).astype(np.uint8).reshape(-1, SLOTS)


def similarity(one: Signatures, other: Signatures) -> npt.NDArray[np.float64]:
    """Estimated Jaccard similarity row by row: the share of equal slots less what chance makes equal (1 in 256)."""
    equal = (one == other).mean(axis=-1)
    return np.clip((equal - 1 / 256) / (255 / 256), 0, 1)
