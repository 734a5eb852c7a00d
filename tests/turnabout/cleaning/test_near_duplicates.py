import random

import polars as pl
import pytest

from turnabout.cleaning.near_duplicates import KNOWN, NearDuplicates
from turnabout.errors import DataError

WORDS = [f"word{number}" for number in range(500)]


def said(*texts: str) -> pl.DataFrame:
    """Conversations c0, c1, … of one user message each."""
    ids = [f"c{number}" for number in range(len(texts))]
    return pl.DataFrame({"conversation_id": ids, "role": "user", "text": texts})


def with_copies(n: int, seed: int) -> pl.DataFrame:
    """Texts of 60 words; of every second one a later copy has one word changed, so 57 of 61 shingles are shared."""
    rng = random.Random(seed)
    texts = [rng.choices(WORDS, k=60) for _ in range(n)]
    copies = [[*text[:30], "changed", *text[31:]] for text in texts[::2]]
    return said(*[" ".join(text) for text in texts + copies])


def test_a_copy_with_a_word_changed_names_the_earlier_conversation() -> None:
    log = with_copies(40, seed=1)
    found = NearDuplicates(0.8).judge(log)
    assert found.select("conversation_id", "earlier").rows() == [(f"c{40 + i}", f"c{2 * i}") for i in range(20)]
    # 60 words give 58 shingles, 3 hold the changed word: |both| = 55, |either| = 61
    assert found["similarity"].mean() == pytest.approx(55 / 61, abs=0.03)


def test_case_punctuation_and_who_says_it_make_no_difference() -> None:
    log = pl.DataFrame(
        {
            "conversation_id": ["a", "a", "b"],
            "role": ["user", "assistant", "user"],
            "text": ["Tell me, please: what is", "the tallest tree?", "tell me please what is the TALLEST tree"],
        }
    )
    assert NearDuplicates(0.9).judge(log).rows() == [("b", "a", 1.0)]


def test_texts_that_share_half_their_words_are_no_duplicates() -> None:
    half = " ".join(WORDS[:30])
    log = said(f"{half} {' '.join(WORDS[100:130])}", f"{half} {' '.join(WORDS[200:230])}")
    assert NearDuplicates(0.8).judge(log).is_empty()


def test_conversations_of_under_three_words_are_not_compared() -> None:
    assert NearDuplicates(0.8).judge(said("hello there", "hello there")).is_empty()


def test_chinese_is_compared_by_characters() -> None:
    found = NearDuplicates(0.9).judge(said("请帮我写一封邮件给老板", "请帮我写一封邮件给老板！"))
    assert found["earlier"].to_list() == ["c0"]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_batches_and_stored_state_give_what_one_go_gives(size: int) -> None:
    log = with_copies(60, seed=2).sample(fraction=1, shuffle=True, seed=3)
    whole = NearDuplicates(0.8)
    expected = whole.judge(log)
    known = pl.DataFrame(schema=KNOWN)
    parts = []
    for part in log.iter_slices(size):
        day = NearDuplicates(0.8, known)
        parts.append(day.judge(part))
        known = day.known()
    assert expected.height == 30
    assert pl.concat(parts).equals(expected)
    assert known.equals(whole.known())


def test_a_crowd_in_one_bucket_is_cut_the_same_way_by_batches() -> None:
    """All share a long preamble, so that buckets held by an earlier conversation are met within a batch too."""
    preamble, rng = " ".join(WORDS[:60]), random.Random(4)
    log = said(*[f"{preamble} {' '.join(rng.choices(WORDS[60:], k=rng.randint(5, 60)))}" for _ in range(300)])
    expected = NearDuplicates(0.8).judge(log)
    in_parts = NearDuplicates(0.8)
    assert 0 < expected.height < 300
    assert pl.concat([in_parts.judge(part) for part in log.iter_slices(11)]).equals(expected)


def test_a_conversation_stores_64_bytes_and_its_id() -> None:
    state = NearDuplicates(0.8)
    state.judge(with_copies(10, seed=5))
    assert state.known().schema == KNOWN
    assert state.known()["signature"].bin.size().unique().to_list() == [64]


def test_signatures_made_in_another_way_are_refused() -> None:
    state = NearDuplicates(0.8)
    state.judge(with_copies(2, seed=6))
    with pytest.raises(DataError, match="signed by \\['older'\\]"):
        NearDuplicates(0.8, state.known().with_columns(signed_by=pl.lit("older")))


def test_no_messages_no_duplicates() -> None:
    assert NearDuplicates(0.8).judge(said().cast({"text": pl.String, "conversation_id": pl.String})).is_empty()
