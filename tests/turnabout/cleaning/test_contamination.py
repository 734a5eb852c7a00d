from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from turnabout.cleaning import contamination
from turnabout.cleaning.contamination import EvaluationSet, find_contaminated
from turnabout.text.word_ngrams import HashedWords, WordNgrams, hash_ngrams

Build = Callable[..., pl.DataFrame]

QUESTION = "A baker sells seven loaves an hour; how many loaves does she sell between nine and noon?"  # 17 words
ANSWERED = "a baker sells seven loaves an hour how many loaves does she"  # its first 12


def test_find_contaminated_needs_13_words_in_a_row_in_any_case(messages: Build) -> None:
    log = pl.concat(
        [
            messages("a", "Solve this.", f"{ANSWERED.upper()}... SELL?"),
            messages("b", f"{ANSWERED} buy", "twelve words shared"),
            messages("c", ANSWERED, "sell between"),
        ]
    )
    assert find_contaminated(log, [EvaluationSet("quiz", [QUESTION])]).rows() == [("a", "quiz", f"{ANSWERED} sell")]


def test_find_contaminated_names_the_first_match_of_the_first_set(messages: Build) -> None:
    log = messages("a", "nothing", f"as I said: {QUESTION}", "again", QUESTION)
    sets = [
        EvaluationSet("one", ["other words " * 9]),
        EvaluationSet("two", [QUESTION]),
        EvaluationSet("3", [QUESTION]),
    ]
    assert find_contaminated(log, sets).rows() == [("a", "two", f"{ANSWERED} sell")]


@pytest.mark.parametrize(("lengths", "n"), [([17, 17], 13), ([10, 30], 10), ([2, 30], 8), ([], 13)])
def test_n_is_the_5th_percentile_length_between_8_and_13(lengths: list[int], n: int) -> None:
    texts = [" ".join(f"w{i}" for i in range(length)) for length in lengths]
    made = EvaluationSet("made", texts)
    assert made.n == n
    assert made.n_too_short == sum(length < n for length in lengths)


def test_ngrams_do_not_cross_texts_or_messages(messages: Build) -> None:
    words = QUESTION.split()
    halves = EvaluationSet("halves", [" ".join(words[:8]), " ".join(words[8:])])
    assert halves.n == 8
    straddling = messages("a", " ".join(words[4:12]), "ok")
    assert find_contaminated(straddling, [halves]).is_empty()
    assert find_contaminated(messages("a", " ".join(words[8:]), "ok"), [halves]).height == 1


def test_find_contaminated_verifies_equal_hashes_by_words(messages: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    def hash_alike(words: HashedWords, n: int) -> WordNgrams:
        ngrams = hash_ngrams(words, n)
        return ngrams._replace(hashes=np.full_like(ngrams.hashes, 7))

    monkeypatch.setattr(contamination, "hash_ngrams", hash_alike)
    log = pl.concat([messages("a", "w " * 20, "ok"), messages("b", QUESTION, "ok")])
    assert find_contaminated(log, [EvaluationSet("quiz", [QUESTION])])["conversation_id"].to_list() == ["b"]


def test_find_contaminated_returns_nothing_without_sets_or_messages(messages: Build) -> None:
    log = messages("a", QUESTION, "ok")
    assert find_contaminated(log, []).is_empty()
    assert find_contaminated(log, [EvaluationSet("empty", [])]).is_empty()
    assert find_contaminated(log.clear(), [EvaluationSet("quiz", [QUESTION])]).is_empty()
