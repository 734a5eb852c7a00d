"""Detection of planted near-duplicates, against MinHash libraries.

Recall, precision and speed are measured. Near-duplicates are planted among generated conversations.
"""

import random
import time
from collections.abc import Callable
from itertools import pairwise
from types import ModuleType
from typing import Any

import polars as pl

from benchmarks.peers import build_for_installed
from turnabout.cleaning.near_duplicates import NearDuplicateIndex

N_ORIGINALS, N_COPIES, N_WORDS = 20_000, 4_000, 65
MAX_EDITS = 8
THRESHOLD = 0.8

Finder = Callable[[list[list[str]]], list[bool]]


def build_texts(seed: int) -> tuple[list[list[str]], list[float]]:
    """Return texts as words, and their true similarity to their originals.

    The similarity is Jaccard's; it is 0 for originals. Copies follow the originals. Words follow Zipf's law. A copy
    has 0 to `MAX_EDITS` words changed, removed or inserted.
    """
    rng = random.Random(seed)
    vocabulary = [f"w{number}" for number in range(20_000)]
    weights = [1 / (rank + 1) for rank in range(len(vocabulary))]
    texts = [rng.choices(vocabulary, weights, k=N_WORDS) for _ in range(N_ORIGINALS)]
    similarities = [0.0] * N_ORIGINALS
    for original in texts[:N_COPIES]:
        copy = list(original)
        for _ in range(rng.randint(0, MAX_EDITS)):
            at = rng.randrange(len(copy))
            copy[at : at + rng.randint(0, 1)] = [rng.choice(vocabulary)] * rng.randint(0, 1)
        texts.append(copy)
        one, other = build_shingles(original), build_shingles(copy)
        similarities.append(len(one & other) / len(one | other))
    return texts, similarities


def build_shingles(words: list[str]) -> set[str]:
    """Return all sequences of three words."""
    return {f"{one} {two} {three}" for (one, two), (_, three) in pairwise(pairwise(words))}


def find_with_turnabout(texts: list[list[str]]) -> list[bool]:
    """Return for each text whether it repeats an earlier one.

    The answers are those of this project.
    """
    ids = [str(number) for number in range(len(texts))]
    log = pl.DataFrame({"conversation_id": ids, "role": "user", "text": [" ".join(words) for words in texts]})
    state = NearDuplicateIndex(THRESHOLD)
    repeats = set(pl.concat([state.find_repeats(batch) for batch in log.iter_slices(4_000)])["conversation_id"])
    return [number in repeats for number in ids]


def build_rensa_finder(rensa: ModuleType) -> Finder:
    """Return a finder that uses rensa."""

    def find(texts: list[list[str]]) -> list[bool]:
        state = rensa.RMinHashDeduplicator(threshold=THRESHOLD, num_perm=128, use_lsh=True)
        kept = state.add_pairs((str(number), list(build_shingles(words))) for number, words in enumerate(texts))
        return [not is_kept for is_kept in kept]

    return find


def build_gaoya_finder(gaoya: ModuleType) -> Finder:
    """Return a finder that uses gaoya."""

    def find(texts: list[list[str]]) -> list[bool]:
        index = gaoya.minhash.MinHashStringIndex(
            hash_size=32, jaccard_threshold=THRESHOLD, num_bands=16, band_size=8, analyzer="word", ngram_range=(3, 3)
        )
        is_repeat = []
        for number, words in enumerate(texts):
            text = " ".join(words)
            is_repeat.append(bool(index.query(text)))
            if not is_repeat[-1]:
                index.insert_document(number, text)
        return is_repeat

    return find


def build_datasketch_finder(datasketch: ModuleType) -> Finder:
    """Return a finder that uses datasketch."""

    def find(texts: list[list[str]]) -> list[bool]:
        index = datasketch.MinHashLSH(threshold=THRESHOLD, num_perm=128)
        kept: dict[int, Any] = {}
        is_repeat = []
        for number, words in enumerate(texts):
            signature = datasketch.MinHash(num_perm=128)
            signature.update_batch([shingle.encode() for shingle in build_shingles(words)])
            candidates = index.query(signature)
            is_repeat.append(any(signature.jaccard(kept[candidate]) >= THRESHOLD for candidate in candidates))
            if not is_repeat[-1]:
                kept[number] = signature
                index.insert(number, signature)
        return is_repeat

    return find


def main() -> None:
    """Print recall, precision and speed of every library."""
    texts, similarities = build_texts(seed=1)
    is_copy = [similarity >= THRESHOLD for similarity in similarities]
    print(f"{len(texts):,} texts of about {N_WORDS} words, {sum(is_copy):,} of them copies of similarity ≥ {THRESHOLD}")
    makers = {"rensa": build_rensa_finder, "gaoya": build_gaoya_finder, "datasketch": build_datasketch_finder}
    for name, find in {"turnabout": find_with_turnabout, **build_for_installed(makers)}.items():
        began = time.perf_counter()
        is_repeat = find(texts)
        seconds = time.perf_counter() - began
        hits = sum(one and other for one, other in zip(is_repeat, is_copy, strict=True))
        clear = [hit for hit, similarity in zip(is_repeat, similarities, strict=True) if similarity >= THRESHOLD + 0.05]
        wrong = sum(
            hit and similarity < THRESHOLD - 0.1 for hit, similarity in zip(is_repeat, similarities, strict=True)
        )
        print(
            f"{name:10} recall {hits / sum(is_copy):.3f}, {sum(clear) / len(clear):.3f} where similarity ≥ .85; "
            f"precision {hits / sum(is_repeat):.3f}, {wrong} found of similarity < .7; "
            f"{len(texts) / seconds:,.0f} texts/s"
        )


if __name__ == "__main__":
    main()
