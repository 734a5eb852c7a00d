import random

import polars as pl
import pytest

from turnabout.cleaning.near_duplicates import KNOWN_SIGNATURES, NearDuplicateIndex
from turnabout.errors import DataError

WORDS = [f"word{number}" for number in range(500)]


def make_conversations(*texts: str) -> pl.DataFrame:
    """Return conversations c0, c1, … of one user message each."""
    ids = [f"c{number}" for number in range(len(texts))]
    return pl.DataFrame({"conversation_id": ids, "role": "user", "text": texts})


def make_copies(n: int, seed: int) -> pl.DataFrame:
    """Return texts of 60 words, and changed copies of every second one.

    A copy has one word changed, so it shares 55 of 61 shingles with its text.
    """
    rng = random.Random(seed)
    texts = [rng.choices(WORDS, k=60) for _ in range(n)]
    copies = [[*text[:30], "changed", *text[31:]] for text in texts[::2]]
    return make_conversations(*[" ".join(text) for text in texts + copies])


def test_find_repeats_names_the_earlier_conversation_of_a_changed_copy() -> None:
    log = make_copies(40, seed=1)
    repeats = NearDuplicateIndex(0.8).find_repeats(log)
    assert repeats.select("conversation_id", "earlier").rows() == [(f"c{40 + i}", f"c{2 * i}") for i in range(20)]
    # 60 words give 58 shingles, 3 hold the changed word: |both| = 55, |either| = 61
    assert repeats["similarity"].mean() == pytest.approx(55 / 61, abs=0.03)


def test_find_repeats_ignores_case_punctuation_and_roles() -> None:
    log = pl.DataFrame(
        {
            "conversation_id": ["a", "a", "b"],
            "role": ["user", "assistant", "user"],
            "text": ["Tell me, please: what is", "the tallest tree?", "tell me please what is the TALLEST tree"],
        }
    )
    assert NearDuplicateIndex(0.9).find_repeats(log).rows() == [("b", "a", 1.0)]


def test_find_repeats_ignores_texts_that_share_half_their_words() -> None:
    half = " ".join(WORDS[:30])
    log = make_conversations(f"{half} {' '.join(WORDS[100:130])}", f"{half} {' '.join(WORDS[200:230])}")
    assert NearDuplicateIndex(0.8).find_repeats(log).is_empty()


def test_find_repeats_ignores_conversations_of_under_three_words() -> None:
    assert NearDuplicateIndex(0.8).find_repeats(make_conversations("hello there", "hello there")).is_empty()


def test_find_repeats_compares_chinese_by_characters() -> None:
    log = make_conversations("请帮我写一封邮件给老板", "请帮我写一封邮件给老板！")
    assert NearDuplicateIndex(0.9).find_repeats(log)["earlier"].to_list() == ["c0"]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_batches_and_stored_state_give_the_same_as_one_batch(size: int) -> None:
    log = make_copies(60, seed=2).sample(fraction=1, shuffle=True, seed=3)
    whole = NearDuplicateIndex(0.8)
    expected = whole.find_repeats(log)
    known = pl.DataFrame(schema=KNOWN_SIGNATURES)
    parts = []
    for part in log.iter_slices(size):
        day = NearDuplicateIndex(0.8, known)
        parts.append(day.find_repeats(part))
        known = day.export_known()
    assert expected.height == 30
    assert pl.concat(parts).equals(expected)
    assert known.equals(whole.export_known())


def test_batches_give_the_same_when_many_conversations_share_a_bucket() -> None:
    """All share a long preamble, so they compete for the same buckets."""
    preamble, rng = " ".join(WORDS[:60]), random.Random(4)
    log = make_conversations(
        *[f"{preamble} {' '.join(rng.choices(WORDS[60:], k=rng.randint(5, 60)))}" for _ in range(300)]
    )
    expected = NearDuplicateIndex(0.8).find_repeats(log)
    in_parts = NearDuplicateIndex(0.8)
    assert 0 < expected.height < 300
    assert pl.concat([in_parts.find_repeats(part) for part in log.iter_slices(11)]).equals(expected)


def test_export_known_stores_64_bytes_and_the_id() -> None:
    state = NearDuplicateIndex(0.8)
    state.find_repeats(make_copies(10, seed=5))
    assert state.export_known().schema == KNOWN_SIGNATURES
    assert state.export_known()["signature"].bin.size().unique().to_list() == [64]


def test_index_refuses_signatures_of_another_method() -> None:
    state = NearDuplicateIndex(0.8)
    state.find_repeats(make_copies(2, seed=6))
    with pytest.raises(DataError, match="signed by \\['older'\\]"):
        NearDuplicateIndex(0.8, state.export_known().with_columns(signed_by=pl.lit("older")))


def test_find_repeats_accepts_an_empty_batch() -> None:
    assert (
        NearDuplicateIndex(0.8)
        .find_repeats(make_conversations().cast({"text": pl.String, "conversation_id": pl.String}))
        .is_empty()
    )
