"""Rephrase: a follow-up that repeats one of the user's turns before, by content words or by meaning."""

import numpy as np
import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.core.conversations import EXCHANGES
from turnabout.feedback.miners.rephrase import Rephrase
from turnabout.text import sentence_vectors


def test_same_words_in_another_order_have_the_highest_confidence(exchange):
    asked, again = "Book a cheap hotel room!", "a room, cheap hotel: book"
    signals = Rephrase().mine(exchange(previous_user=asked, follow_up=again))
    assert signals.drop("rule").row(0) == (
        "c1",
        1,
        2,
        "dsat",
        "rephrase",
        again,
        -1.0,
        pytest.approx(0.9),
        "rephrase",
        "2",
    )


def test_confidence_rises_from_half_at_the_threshold(exchange):
    # "abcd efgh ijkl" and "abcd efgh ijkx": 14 characters each, 13 in common: 100 · 2·13/28 = 92.857
    # threshold 80: 0.5 + 0.4 · 12.857/20 = 0.757
    pair = exchange(previous_user="abcd efgh ijkl", follow_up="abcd efgh ijkx")
    signals = Rephrase(threshold=80).mine(pair)
    assert signals["score"].item() == pytest.approx(-0.92857, abs=1e-5)
    assert signals["confidence"].item() == pytest.approx(0.75714, abs=1e-5)
    assert Rephrase(threshold=93).mine(pair).is_empty()


@pytest.mark.parametrize(
    ("asked", "again"),
    [
        ("Hello, how are you today?", "Hello, how are you today?"),
        ("What do you think of cats?", "What do you think of dogs?"),
        ("I would prefer a cheap hotel", "I would prefer a northern museum"),
        ("Book a cheap hotel room", "cheap hotel"),
        ("Book a cheap hotel room up north", "cheap hotel room"),
        ("magnificent swimmingpools x", "magnificent swimmingpools"),
        (None, "Book a cheap hotel room"),
        ("Book a cheap hotel room", None),
    ],
)
def test_greetings_frames_and_short_turns_are_no_repetition(exchange, asked, again):
    assert Rephrase().mine(exchange(previous_user=asked, follow_up=again)).is_empty()


def test_min_words_counts_content_words_of_both_turns(exchange):
    pair = exchange(previous_user="the cheap hotel", follow_up="a cheap hotel")
    assert Rephrase().mine(pair).is_empty()
    assert Rephrase(min_words=2).mine(pair).height == 1


def test_no_exchanges_give_an_empty_table():
    assert Rephrase().mine(EXCHANGES.to_frame()).schema == schemas.FEEDBACK


def test_repeated_turn_may_be_up_to_three_turns_back(exchange):
    turns = ["book cheap hotel rooms", "something else entirely", "nothing much today", "book cheap hotel rooms"]
    talk = pl.concat(
        exchange(previous_user=turns[i], follow_up=turns[i + 1], reply_index=2 * i + 1, evidence_index=2 * i + 2)
        for i in range(3)
    )
    assert Rephrase().mine(talk)["reply_index"].to_list() == [5]
    assert Rephrase(turns=2).mine(talk).is_empty()


def test_other_words_are_a_repetition_when_the_meaning_is_similar(exchange, monkeypatch):
    # cosine 0.9 at least 0.8: confidence 0.5 + 0.4 · 0.1/0.2 = 0.7
    vectors = {"cheap hotel room please": [1.0, 0.0], "a low-priced hotel room with a cheap bed": [0.9, 0.19**0.5]}
    monkeypatch.setattr(sentence_vectors, "encode_sentences", lambda texts: np.array([vectors[text] for text in texts]))
    asked, again = vectors
    pair = exchange(previous_user=asked, follow_up=again)
    assert Rephrase().mine(pair).is_empty()
    signals = Rephrase(meaning=0.8).mine(pair)
    assert (signals["score"].item(), signals["confidence"].item()) == (pytest.approx(-0.9), pytest.approx(0.7))
    assert Rephrase(meaning=0.95).mine(pair).is_empty()
