"""Miner `rules`: follow-ups that judge the reply, and follow-ups that only look like it."""

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.core.conversations import EXCHANGES
from turnabout.feedback.miners.rules import Rules

SIGNALS = [
    ("No, I meant the lake near town", "correction", "No, I meant the lake near"),
    ("you should have mentioned the fee", "correction", "you should have mentioned"),
    ("I said lake, not pool", "correction", "I said lake, not pool"),
    ("As I already told you... I already said that", "rephrase", "I already said that"),
    ("Let me rephrase: where is it warm?", "rephrase", "Let me rephrase"),
    ("i asked where, please", "rephrase", "i asked where"),
    ("That's not what I asked.", "complaint", "That's not what I asked"),
    ("thats not what i asked", "complaint", "thats not what i asked"),
    ("That’s not what I asked", "complaint", "That’s not what I asked"),
    ("But you didn't answer my question", "complaint", "you didn't answer my question"),
    ("Haha ok, that makes no sense!", "complaint", "that makes no sense"),
    ("wrong", "complaint", "wrong"),
    ("this is way too vague", "complaint", "this is way too vague"),
    ("What do you mean?", "clarification", "What do you mean"),
    ("Hm, I don't understand.", "clarification", "I don't understand"),
    ("huh?", "clarification", "huh?"),
    ("Thank you so much for your help", "positive", "Thank you so much for your help"),
    ("Oh great, thanks!", "positive", "thanks"),
    ("ok, that helps", "positive", "that helps"),
    ("Great idea!", "positive", "Great idea"),
    ("Exactly", "positive", "Exactly"),
    ("Perfect :)", "positive", "Perfect"),
]

#: Thanks before an objection are manners, not satisfaction.
POLITE = [
    ("Thanks, but that's wrong", "complaint", "that's wrong"),
    ("thank you so much, but it still doesn't work", "complaint", "it still doesn't work"),
    ("Thanks but that's not what I asked", "complaint", "that's not what I asked"),
    ("thanks again", "positive", "thanks"),
]

NO_SIGNAL = [
    "no way, that's awesome!",
    "not bad!",
    "I'm good thanks",
    "I am doing very well, thank you",
    "that's wrong of them to do",
    "don't get me wrong, I like it",
    "what do you mean to people who love you",
    "no thanks",
    "thanks to my sister I can swim",
    "thank god it is Friday",
    "oops, I meant Tuesday",
    "I told him he was wrong",
    "That is not true north",
    "He said thank you so much and left",
    "",
]


@pytest.mark.parametrize(("follow_up", "category", "span"), SIGNALS + POLITE)
def test_judgement_of_the_reply_is_a_signal_with_its_words_as_span(exchange, follow_up, category, span):
    signals = Rules().mine(exchange(follow_up=follow_up))
    assert signals.select("category", "span").rows() == [(category, span)]
    assert span in follow_up


@pytest.mark.parametrize("follow_up", NO_SIGNAL)
def test_words_about_something_else_are_no_signal(exchange, follow_up):
    assert Rules().mine(exchange(follow_up=follow_up)).is_empty()


@pytest.mark.parametrize(
    "reply", ["Hi, how are you?", "I like it. What about you?", "Good luck!", "You are so smart", "That was funny"]
)
def test_thanks_for_a_courtesy_is_not_sat(exchange, reply):
    assert Rules().mine(exchange(reply=reply, follow_up="Thanks!")).is_empty()
    assert Rules().mine(exchange(reply="Take line 3.", follow_up="Thanks!"))["label"].to_list() == ["sat"]


def test_answer_to_do_you_mean_is_no_correction(exchange):
    follow_up = "No, I meant the lake"
    assert Rules().mine(exchange(reply="Do you mean the pool?", follow_up=follow_up)).is_empty()


def test_label_is_the_sign_of_the_score_and_questions_are_weak(exchange):
    table = pl.concat(
        exchange(conversation_id=name, follow_up=text)
        for name, text in [("a", "That's wrong."), ("b", "What do you mean?"), ("c", "That was very helpful")]
    )
    signals = Rules().mine(table).sort("conversation_id")
    assert signals["label"].to_list() == ["dsat", "dsat", "sat"]
    assert signals["score"].to_list() == [-1.0, -0.3, 1.0]
    assert signals["confidence"].to_list() == [0.9, 0.5, 0.9]
    assert signals.select("reply_index", "evidence_index", "miner", "version").row(0) == (1, 2, "rules", Rules.version)


def test_polite_complaint_is_only_a_complaint(exchange):
    signals = Rules().mine(exchange(follow_up="Thanks, that helps. But that's wrong."))
    assert signals.select("label", "category").rows() == [("dsat", "complaint")]


def test_every_dsat_category_of_a_follow_up_gives_one_signal(exchange):
    signals = Rules().mine(exchange(follow_up="That's wrong. Wrong answer! What do you mean?"))
    assert sorted(signals["category"]) == ["clarification", "complaint"]


def test_end_of_a_long_follow_up_is_not_searched(exchange):
    follow_up = "Please summarise: " + "lorem " * 40 + ". That's wrong."
    assert Rules().mine(exchange(follow_up=follow_up)).is_empty()
    assert Rules(reach=400).mine(exchange(follow_up=follow_up)).height == 1


def test_words_around_an_ignored_phrase_are_not_joined(exchange):
    assert Rules().mine(exchange(follow_up="No, thank god I meant the lake")).is_empty()


def test_no_follow_up_gives_an_empty_table(exchange):
    assert Rules().mine(exchange(follow_up=None)).schema == schemas.FEEDBACK
    assert Rules().mine(EXCHANGES.to_frame()).schema == schemas.FEEDBACK
