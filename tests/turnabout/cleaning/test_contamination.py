from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from turnabout.cleaning import contamination
from turnabout.cleaning.contamination import EvaluationSet, contaminated
from turnabout.text.word_ngrams import Grams

Build = Callable[..., pl.DataFrame]

QUESTION = "A baker sells seven loaves an hour; how many loaves does she sell between nine and noon?"  # 17 words
ANSWERED = "a baker sells seven loaves an hour how many loaves does she"  # its first 12


def test_thirteen_words_in_a_row_whatever_case_and_punctuation(messages: Build) -> None:
    log = pl.concat(
        [
            messages("a", "Solve this.", f"{ANSWERED.upper()}... SELL?"),
            messages("b", f"{ANSWERED} buy", "twelve words shared"),
            messages("c", ANSWERED, "sell between"),
        ]
    )
    assert contaminated(log, [EvaluationSet("quiz", [QUESTION])]).rows() == [("a", "quiz", f"{ANSWERED} sell")]


def test_the_first_match_of_the_first_set_is_named(messages: Build) -> None:
    log = messages("a", "nothing", f"as I said: {QUESTION}", "again", QUESTION)
    sets = [
        EvaluationSet("one", ["other words " * 9]),
        EvaluationSet("two", [QUESTION]),
        EvaluationSet("3", [QUESTION]),
    ]
    assert contaminated(log, sets).rows() == [("a", "two", f"{ANSWERED} sell")]


@pytest.mark.parametrize(("lengths", "n"), [([17, 17], 13), ([10, 30], 10), ([2, 30], 8), ([], 13)])
def test_n_follows_the_sets_short_texts_between_8_and_13(lengths: list[int], n: int) -> None:
    made = EvaluationSet("made", [" ".join(f"w{i}" for i in range(length)) for length in lengths])
    assert made.n == n
    assert made.n_too_short == sum(length < n for length in lengths)


def test_an_n_gram_runs_neither_from_text_to_text_nor_from_message_to_message(messages: Build) -> None:
    words = QUESTION.split()
    halves = EvaluationSet("halves", [" ".join(words[:8]), " ".join(words[8:])])
    assert halves.n == 8
    straddling = messages("a", " ".join(words[4:12]), "ok")
    assert contaminated(straddling, [halves]).is_empty()
    assert contaminated(messages("a", " ".join(words[8:]), "ok"), [halves]).height == 1


def test_a_collision_of_hashes_is_no_match(messages: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    def colliding(spoken: contamination.Grams, n: int) -> Grams:
        found = real(spoken, n)
        return found._replace(hashes=np.full_like(found.hashes, 7))

    real = contamination.grams
    monkeypatch.setattr(contamination, "grams", colliding)
    log = pl.concat([messages("a", "w " * 20, "ok"), messages("b", QUESTION, "ok")])
    assert contaminated(log, [EvaluationSet("quiz", [QUESTION])])["conversation_id"].to_list() == ["b"]


def test_nothing_to_compare_with_or_in_finds_nothing(messages: Build) -> None:
    log = messages("a", QUESTION, "ok")
    assert contaminated(log, []).is_empty()
    assert contaminated(log, [EvaluationSet("empty", [])]).is_empty()
    assert contaminated(log.clear(), [EvaluationSet("quiz", [QUESTION])]).is_empty()
