"""Checks of answers: which hold a usable intent, and why others do not."""

import pytest

from turnabout.generation import Completion
from turnabout.intents.checks import MAX_WORDS, REMEDIES, CheckedAnswer, check_answer, is_foreign
from turnabout.intents.questions import ABOUT

USER_TEXTS = ["Well: one two three, four five six seven eight!"]
COPY = "One two three four five six seven eight"


def check(text: str, detail: str = "high_level", language: str | None = "en", **end: bool) -> CheckedAnswer:
    return check_answer(Completion(text, **end), USER_TEXTS, language, detail)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        f"{ABOUT} a leaking tap.",
        f"{ABOUT} a leaking tap. Then more.",
        f"{ABOUT}: “a leaking tap”\nAnd more",
        f"{ABOUT} **a leaking tap**",
        "a leaking tap?",
    ],
)
def test_check_answer_takes_the_first_sentence_with_or_without_beginning(text: str) -> None:
    assert check(text) == CheckedAnswer("a leaking tap", False, None)


def test_check_answer_makes_the_topic_address_the_user() -> None:
    assert (
        check(f"{ABOUT} A's tap and B’s advice on BB's tap.").topic == "your tap and the assistant's advice on BB's tap"
    )


@pytest.mark.parametrize("text", [f"{ABOUT} a leaking tap. And then it", f"{ABOUT} a leaking tap\nAnd"])
def test_check_answer_accepts_an_answer_cut_off_after_its_first_sentence(text: str) -> None:
    assert check(text, truncated=True) == CheckedAnswer("a leaking tap", False, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (f"{ABOUT} .", "empty"),
        (f"{ABOUT} I'm sorry, but I can't help with that.", "no completion"),
        (f"{ABOUT} Here is the summary: taps", "no completion"),
        (f"{ABOUT} the conversation between two people.", "no completion"),
        (f"{ABOUT} You are a user chatting about taps.", "no completion"),
        (f'{ABOUT} {{"topic": "taps"}}', "no completion"),
        (f"{ABOUT} a dog named A: Hello", "no completion"),
        (f"{ABOUT} {'tap ' * (MAX_WORDS + 1)}", "too long"),
        (f"{ABOUT} la recette d'une tarte aux pommes pour six personnes", "language"),
        (f"{ABOUT} {COPY}", "leak"),
    ],
)
def test_check_answer_returns_the_reason_of_an_unusable_answer(text: str, reason: str) -> None:
    assert check(text).reason == reason
    assert reason in REMEDIES


def test_check_answer_rejects_a_truncated_answer() -> None:
    assert check(f"{ABOUT} a tap that", truncated=True).reason == "cut off"
    assert check(f"{ABOUT} a tap. It has", detail="full", truncated=True).reason == "cut off"


@pytest.mark.parametrize("topic", ["Iceland", "surely the best tap", "itinerary", "your tap"])
def test_check_answer_accepts_topics_that_begin_like_an_aside(topic: str) -> None:
    assert check(f"{ABOUT} {topic}").reason is None


def test_check_answer_allows_copies_and_any_length_in_detail_full() -> None:
    text = f"{COPY}. {'tap ' * MAX_WORDS}"
    assert check(f"{ABOUT} {text}", detail="full") == CheckedAnswer(text.strip(), True, None)


def test_check_answer_keeps_the_reason_of_a_refusal_by_the_endpoint() -> None:
    refused = Completion("", refused="content refused")
    assert check_answer(refused, USER_TEXTS, "en", "high_level").reason == "content refused"


@pytest.mark.parametrize(
    ("topic", "language", "foreign"),
    [
        ("eine Reise nach Rom mit zwei Freunden", "en", True),
        ("eine Reise nach Rom mit zwei Freunden", "fr", True),
        ("eine Reise nach Rom mit zwei Freunden", "de", False),
        ("eine Reise nach Rom mit zwei Freunden", None, False),
        ("a trip to Rome with two friends", "de", False),
        ("如何修理漏水的水龙头", "en", True),
        ("如何修理漏水的水龙头", "zh", False),
        ("La Traviata and paella", "en", False),
        ("Python asyncio", "en", False),
        ("taps", "en", False),
    ],
)
def test_is_foreign_accepts_english_and_the_language_of_the_conversation(
    topic: str, language: str | None, foreign: bool
) -> None:
    assert is_foreign(topic, language) == foreign
