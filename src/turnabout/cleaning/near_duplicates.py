"""Detection of conversations that are nearly the same as an earlier one.

Conversations are compared in order of arrival and in bounded memory, by MinHash with banding (Leskovec, Rajaraman &
Ullman, Mining of Massive Datasets, 2020, §3.4): 16 bands of 4 slots find an earlier conversation of similarity .8 with
probability 1 - (1 - .8⁴)¹⁶ = .9998, and its estimated similarity is then verified. A bucket holds only the first
conversation kept, so that many similar conversations cost no more than different ones. The result is the earliest of at
most 16 candidates.

Memory: per conversation kept, its id, 64 bytes of signature and 16 × 8 bytes of buckets. Stored: the id and 64 bytes.
Conversations of fewer than 3 words, paraphrases, and a copy inside a longer conversation are missed.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from turnabout.cleaning.signatures import SLOTS, Signatures, describe_method, estimate_similarity, sign_conversations
from turnabout.core.detached_rows import detach_rows
from turnabout.errors import DataError

BANDS = 16

#: One near-duplicate: the earlier conversation that it repeats, and their estimated Jaccard similarity.
NEAR_DUPLICATES = pl.Schema({"conversation_id": pl.String(), "earlier": pl.String(), "similarity": pl.Float64()})

#: One conversation that repeats none before it. Only signatures with the same method (`signed_by`) can be compared.
KNOWN_SIGNATURES = pl.Schema({"conversation_id": pl.String(), "signature": pl.Binary(), "signed_by": pl.String()})

Indexes = npt.NDArray[np.int64]


class NearDuplicateIndex:
    """An index of the conversations that repeat none before them.

    The result for a conversation depends only on the conversations before it. It depends neither on how these were cut
    into batches, nor on whether they were given to `find_repeats` or to the constructor.
    """

    def __init__(self, threshold: float, known: pl.DataFrame | None = None) -> None:
        """Start with the conversations that `export_known` returned, or with none.

        A conversation repeats an earlier one from the similarity `threshold` on. Raises `DataError` if the known
        conversations were signed by another method.
        """
        self.threshold = threshold
        self._ids = pl.Series("conversation_id", [], pl.String)
        self._signatures = np.empty((0, SLOTS), np.uint8)
        # Sorted; an entry is the bytes of the band << 32 | the index of the conversation that holds the bucket.
        self._buckets = [np.empty(0, np.uint64) for _ in range(BANDS)]
        if known is not None and known.height:
            methods = known["signed_by"].unique().sort().to_list()
            if methods != [describe_method()]:
                raise DataError(
                    f"known conversations are signed by {methods}, now by '{describe_method()}'; sign all logs again"
                )
            flat = np.frombuffer(b"".join(known["signature"]), np.uint8)
            self._add(known["conversation_id"], flat.reshape(-1, SLOTS))

    def export_known(self, start: int = 0) -> pl.DataFrame:
        """Return the conversations kept so far, from the `start`-th on.

        They are in order of arrival (`KNOWN_SIGNATURES`); store them for later batches.
        """
        packed = pl.Series("signature", [row.tobytes() for row in self._signatures[start:]], pl.Binary)
        kept = pl.DataFrame([self._ids[start:], packed])
        return kept.with_columns(signed_by=pl.lit(describe_method())).select(list(KNOWN_SIGNATURES))

    def find_repeats(self, messages: pl.DataFrame) -> pl.DataFrame:
        """Return the near-duplicates of a batch, in order (`NEAR_DUPLICATES`).

        `messages` are whole conversations in order of arrival, the messages of each together and in order. All other
        conversations are known from now on.
        """
        ids, signatures = sign_conversations(messages)
        holders = self._find_holders(signatures)
        earlier = self._find_earliest_similar(signatures, holders)
        new = np.flatnonzero(earlier < 0)
        among_new = _find_repeats_in_batch(signatures[new], holders[new] < 0, self.threshold)
        is_kept = among_new < 0
        n_known = len(self._ids)
        self._add(ids.gather(new[is_kept]), signatures[new[is_kept]])
        index_of_kept = n_known + np.cumsum(is_kept) - 1
        earlier[new[~is_kept]] = index_of_kept[among_new[~is_kept]]
        repeats = np.flatnonzero(earlier >= 0)
        columns = {
            "conversation_id": ids.gather(repeats),
            "earlier": self._ids.gather(earlier[repeats]),
            "similarity": estimate_similarity(signatures[repeats], self._signatures[earlier[repeats]]),
        }
        return pl.DataFrame(columns, schema=NEAR_DUPLICATES)

    def _find_holders(self, signatures: Signatures) -> Indexes:
        """Return the index of the conversation that holds the bucket of each band.

        The result has the shape (conversations, bands); it is -1 where the bucket is free.
        """
        holders = np.full((len(signatures), BANDS), -1)
        for band, (buckets, keys) in enumerate(zip(self._buckets, _iterate_bands(signatures), strict=True)):
            positions = np.searchsorted(buckets, keys)
            is_inside = positions < len(buckets)
            candidates = buckets[positions[is_inside]]
            is_held = candidates >> 32 == keys[is_inside] >> 32
            holders[np.flatnonzero(is_inside)[is_held], band] = candidates[is_held] & 0xFFFFFFFF
        return holders

    def _find_earliest_similar(self, signatures: Signatures, holders: Indexes) -> Indexes:
        """Return the earliest holder that each conversation repeats, or -1."""
        rows, bands = np.nonzero(holders >= 0)
        candidates = holders[rows, bands]
        is_similar = estimate_similarity(signatures[rows], self._signatures[candidates]) >= self.threshold
        first = np.full(len(signatures), np.iinfo(np.int64).max)
        np.minimum.at(first, rows[is_similar], candidates[is_similar])
        return np.where(first == np.iinfo(np.int64).max, -1, first)

    def _add(self, ids: pl.Series, signatures: Signatures) -> None:
        """Add conversations; each takes its buckets that are still free."""
        indexes = len(self._ids) + np.arange(len(ids), dtype=np.uint64)
        is_free = self._find_holders(signatures) < 0
        for band, keys in enumerate(_iterate_bands(signatures)):
            free, first = np.unique(keys[is_free[:, band]], return_index=True)
            positions = np.searchsorted(self._buckets[band], free)
            entries = free | indexes[is_free[:, band]][first]
            self._buckets[band] = np.insert(self._buckets[band], positions, entries)
        self._ids = pl.concat([self._ids, detach_rows(ids.to_frame()).to_series()])
        self._signatures = np.concatenate([self._signatures, signatures])


def _iterate_bands(signatures: Signatures) -> Iterator[npt.NDArray[np.uint64]]:
    """Yield the bytes of each band of every signature.

    They are the upper half of a number.
    """
    for column in np.ascontiguousarray(signatures).view(np.uint32).T:
        yield column.astype(np.uint64) << np.uint64(32)


def _find_repeats_in_batch(signatures: Signatures, is_free: npt.NDArray[np.bool_], threshold: float) -> Indexes:
    """Return the index of the conversation that each one repeats, or -1.

    It is the earliest kept conversation of the batch that is similar enough. `is_free` says which buckets were free
    before the batch, with the shape (conversations, bands). Whether a conversation is kept depends on those before it,
    so they are visited one by one; only conversations that share a bucket are visited.
    """
    repeated = np.full(len(signatures), -1)
    shared = [np.unique(band, return_inverse=True, return_counts=True) for band in _iterate_bands(signatures)]
    codes = np.stack([np.where(counts[code] > 1, code, -1) for _, code, counts in shared], axis=1)
    codes[~is_free] = -1
    holder: dict[tuple[int, int], int] = {}
    for row in np.flatnonzero((codes >= 0).any(axis=1)).tolist():
        buckets = [(band, code) for band, code in enumerate(codes[row].tolist()) if code >= 0]
        earlier = np.array(sorted({holder[bucket] for bucket in buckets if bucket in holder}), np.int64)
        similar = earlier[estimate_similarity(signatures[row], signatures[earlier]) >= threshold]
        if similar.size:
            repeated[row] = similar[0]
        else:
            for bucket in buckets:
                holder.setdefault(bucket, row)
    return repeated
