"""Conversations that are nearly the same as an earlier one, in order of arrival and in bounded memory.

MinHash with banding (Leskovec, Rajaraman & Ullman, Mining of Massive Datasets, 2020, §3.4): 16 bands of 4 slots find
an earlier conversation of similarity .8 with probability 1 - (1 - .8⁴)¹⁶ = .9998, and its estimated similarity is then
verified. A bucket holds the first kept conversation only, so that a crowd of conversations alike costs no more than
strangers do; what is found is the earliest of at most 16 candidates.

Memory: 64 bytes of signature and 16 × 8 of buckets per conversation kept, and its id. Stored: the id and 64 bytes.
What it misses: conversations of under 3 words, paraphrases, and a copy inside a longer conversation.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from turnabout.cleaning.signatures import SLOTS, Signatures, method, sign, similarity
from turnabout.core.detached_rows import detach_rows
from turnabout.errors import DataError

BANDS = 16

#: One near-duplicate: the earlier conversation it repeats and their estimated Jaccard similarity.
NEAR_DUPLICATES = pl.Schema({"conversation_id": pl.String(), "earlier": pl.String(), "similarity": pl.Float64()})

#: One conversation that repeats none before it. `signed_by` says how: only like signatures can be compared.
KNOWN = pl.Schema({"conversation_id": pl.String(), "signature": pl.Binary(), "signed_by": pl.String()})

Places = npt.NDArray[np.int64]


class NearDuplicates:
    """All conversations told of so far that repeat none before them.

    The answer for a conversation depends on those before it alone: not on how they were cut into batches, nor on
    whether they came by `judge` or by `known`.
    """

    def __init__(self, threshold: float, known: pl.DataFrame | None = None) -> None:
        """`known` is what `known()` returned earlier. Raises `DataError` where it was signed in another way."""
        self.threshold = threshold
        self._ids = pl.Series("conversation_id", [], pl.String)
        self._signatures = np.empty((0, SLOTS), np.uint8)
        self._buckets = [np.empty(0, np.uint64) for _ in range(BANDS)]  # sorted: band's bytes << 32 | place of holder
        if known is not None and known.height:
            if (came := known["signed_by"].unique().sort().to_list()) != [method()]:
                raise DataError(f"known conversations are signed by {came}, now by '{method()}'; sign all logs again")
            flat = np.frombuffer(b"".join(known["signature"]), np.uint8)
            self._keep(known["conversation_id"], flat.reshape(-1, SLOTS))

    def known(self, start: int = 0) -> pl.DataFrame:
        """The conversations kept so far (`KNOWN`), in order of arrival, from the `start`-th on: for later."""
        packed = pl.Series("signature", [row.tobytes() for row in self._signatures[start:]], pl.Binary)
        kept = pl.DataFrame([self._ids[start:], packed])
        return kept.with_columns(signed_by=pl.lit(method())).select(list(KNOWN))

    def judge(self, messages: pl.DataFrame) -> pl.DataFrame:
        """The near-duplicates (`NEAR_DUPLICATES`) among a batch, in order; all others are known from now on.

        `messages` are whole conversations in order of arrival, the messages of each together and in order.
        """
        ids, signatures = sign(messages)
        holders = self._holders(signatures)
        earlier = self._first_similar(signatures, holders)
        new = np.flatnonzero(earlier < 0)
        among_new = _repeats(signatures[new], holders[new] < 0, self.threshold)
        is_kept = among_new < 0
        n_known = len(self._ids)
        self._keep(ids.gather(new[is_kept]), signatures[new[is_kept]])
        place = n_known + np.cumsum(is_kept) - 1
        earlier[new[~is_kept]] = place[among_new[~is_kept]]
        again = np.flatnonzero(earlier >= 0)
        alike = similarity(signatures[again], self._signatures[earlier[again]])
        found = {"conversation_id": ids.gather(again), "earlier": self._ids.gather(earlier[again]), "similarity": alike}
        return pl.DataFrame(found, schema=NEAR_DUPLICATES)

    def _holders(self, signatures: Signatures) -> Places:
        """The place of the conversation that holds each band's bucket, -1 where none does: (conversations, bands)."""
        held = np.full((len(signatures), BANDS), -1)
        for band, (bucket, wanted) in enumerate(zip(self._buckets, _bands(signatures), strict=True)):
            at = np.searchsorted(bucket, wanted)
            inside = at < len(bucket)
            found = bucket[at[inside]]
            is_held = found >> 32 == wanted[inside] >> 32
            held[np.flatnonzero(inside)[is_held], band] = found[is_held] & 0xFFFFFFFF
        return held

    def _first_similar(self, signatures: Signatures, holders: Places) -> Places:
        """The earliest holder that is similar enough to each conversation, else -1."""
        rows, bands = np.nonzero(holders >= 0)
        places = holders[rows, bands]
        is_alike = similarity(signatures[rows], self._signatures[places]) >= self.threshold
        first = np.full(len(signatures), np.iinfo(np.int64).max)
        np.minimum.at(first, rows[is_alike], places[is_alike])
        return np.where(first == np.iinfo(np.int64).max, -1, first)

    def _keep(self, ids: pl.Series, signatures: Signatures) -> None:
        """Add conversations; each takes those of its buckets that nobody holds."""
        places = len(self._ids) + np.arange(len(ids), dtype=np.uint64)
        is_free = self._holders(signatures) < 0
        for band, wanted in enumerate(_bands(signatures)):
            free, first = np.unique(wanted[is_free[:, band]], return_index=True)
            at = np.searchsorted(self._buckets[band], free)
            self._buckets[band] = np.insert(self._buckets[band], at, free | places[is_free[:, band]][first])
        self._ids = pl.concat([self._ids, detach_rows(ids.to_frame()).to_series()])
        self._signatures = np.concatenate([self._signatures, signatures])


def _bands(signatures: Signatures) -> Iterator[npt.NDArray[np.uint64]]:
    """For each band its bytes of every signature, as the upper half of a number."""
    for column in np.ascontiguousarray(signatures).view(np.uint32).T:
        yield column.astype(np.uint64) << np.uint64(32)


def _repeats(signatures: Signatures, is_free: npt.NDArray[np.bool_], threshold: float) -> Places:
    """For each conversation of a batch the earliest kept one before it that is similar enough, else -1.

    `is_free` says which of its buckets nobody held before. Whether one is kept depends on those before it, hence the
    loop; it visits only those that share a bucket.
    """
    repeated = np.full(len(signatures), -1)
    shared = [np.unique(band, return_inverse=True, return_counts=True) for band in _bands(signatures)]
    codes = np.stack([np.where(counts[code] > 1, code, -1) for _, code, counts in shared], axis=1)
    codes[~is_free] = -1
    holder: dict[tuple[int, int], int] = {}
    for row in np.flatnonzero((codes >= 0).any(axis=1)).tolist():
        buckets = [(band, code) for band, code in enumerate(codes[row].tolist()) if code >= 0]
        before = np.array(sorted({holder[bucket] for bucket in buckets if bucket in holder}), np.int64)
        alike = before[similarity(signatures[row], signatures[before]) >= threshold]
        if alike.size:
            repeated[row] = alike[0]
        else:
            for bucket in buckets:
                holder.setdefault(bucket, row)
    return repeated
