"""Rules: which follow-ups judge the reply, which only look as if they did."""

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
def test_words_about_the_reply_are_a_signal_with_the_words_as_span(exchange, follow_up, category, span):
    found = Rules().mine(exchange(follow_up=follow_up))
    assert found.select("category", "span").rows() == [(category, span)]
    assert span in follow_up


@pytest.mark.parametrize("follow_up", NO_SIGNAL)
def test_words_about_something_else_are_no_signal(exchange, follow_up):
    assert Rules().mine(exchange(follow_up=follow_up)).is_empty()


@pytest.mark.parametrize(
    "reply", ["Hi, how are you?", "I like it. What about you?", "Good luck!", "You are so smart", "That was funny"]
)
def test_thanks_for_a_courtesy_is_no_satisfaction(exchange, reply):
    assert Rules().mine(exchange(reply=reply, follow_up="Thanks!")).is_empty()
    assert Rules().mine(exchange(reply="Take line 3.", follow_up="Thanks!"))["label"].to_list() == ["sat"]


def test_an_answer_to_do_you_mean_is_no_correction(exchange):
    follow_up = "No, I meant the lake"
    assert Rules().mine(exchange(reply="Do you mean the pool?", follow_up=follow_up)).is_empty()


def test_labels_follow_the_sign_of_the_score_and_questions_are_weak(exchange):
    table = pl.concat(
        exchange(conversation_id=name, follow_up=text)
        for name, text in [("a", "That's wrong."), ("b", "What do you mean?"), ("c", "That was very helpful")]
    )
    found = Rules().mine(table).sort("conversation_id")
    assert found["label"].to_list() == ["dsat", "dsat", "sat"]
    assert found["score"].to_list() == [-1.0, -0.3, 1.0]
    assert found["confidence"].to_list() == [0.9, 0.5, 0.9]
    assert found.select("reply_index", "evidence_index", "miner", "version").row(0) == (1, 2, "rules", Rules.version)


def test_a_polite_complaint_is_a_complaint_alone(exchange):
    found = Rules().mine(exchange(follow_up="Thanks, that helps. But that's wrong."))
    assert found.select("label", "category").rows() == [("dsat", "complaint")]


def test_several_dissatisfied_categories_give_one_signal_each(exchange):
    found = Rules().mine(exchange(follow_up="That's wrong. Wrong answer! What do you mean?"))
    assert sorted(found["category"]) == ["clarification", "complaint"]


def test_what_comes_late_in_a_long_follow_up_is_not_searched(exchange):
    follow_up = "Please summarise: " + "lorem " * 40 + ". That's wrong."
    assert Rules().mine(exchange(follow_up=follow_up)).is_empty()
    assert Rules(reach=400).mine(exchange(follow_up=follow_up)).height == 1


def test_words_on_both_sides_of_an_innocent_phrase_are_not_joined(exchange):
    assert Rules().mine(exchange(follow_up="No, thank god I meant the lake")).is_empty()


def test_no_follow_up_gives_an_empty_table_of_signals(exchange):
    assert Rules().mine(exchange(follow_up=None)).schema == schemas.FEEDBACK
    assert Rules().mine(EXCHANGES.to_frame()).schema == schemas.FEEDBACK
