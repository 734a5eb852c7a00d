"""Which answers hold an intent, and why the others do not."""

import pytest

from turnabout.generation import Completion
from turnabout.intents.checks import REMEDIES, MAX_WORDS, CheckedAnswer, is_foreign, check_answer
from turnabout.intents.questions import ABOUT

SAID = ["Well: one two three, four five six seven eight!"]
COPY = "One two three four five six seven eight"


def of(text: str, detail: str = "high_level", language: str | None = "en", **end: bool) -> CheckedAnswer:
    return check_answer(Completion(text, **end), SAID, language, detail)  # type: ignore[arg-type]


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
def test_the_first_sentence_counts_with_its_beginning_or_without(text: str) -> None:
    assert of(text) == CheckedAnswer("a leaking tap", False, None)


def test_the_intent_speaks_to_the_user() -> None:
    assert of(f"{ABOUT} A's tap and B’s advice on BB's tap.").topic == "your tap and the assistant's advice on BB's tap"


@pytest.mark.parametrize("text", [f"{ABOUT} a leaking tap. And then it", f"{ABOUT} a leaking tap\nAnd"])
def test_an_answer_cut_off_after_its_first_sentence_is_whole(text: str) -> None:
    assert of(text, truncated=True) == CheckedAnswer("a leaking tap", False, None)


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
def test_an_answer_that_holds_no_usable_intent_is_told_apart_by_its_reason(text: str, reason: str) -> None:
    assert of(text).reason == reason
    assert reason in REMEDIES


def test_an_answer_that_ran_out_of_tokens_is_cut_off() -> None:
    assert of(f"{ABOUT} a tap that", truncated=True).reason == "cut off"
    assert of(f"{ABOUT} a tap. It has", detail="full", truncated=True).reason == "cut off"


@pytest.mark.parametrize("topic", ["Iceland", "surely the best tap", "itinerary", "your tap"])
def test_a_topic_is_no_aside_because_it_begins_like_one(topic: str) -> None:
    assert of(f"{ABOUT} {topic}").reason is None


def test_in_full_copies_and_any_length_are_allowed_and_copies_counted() -> None:
    text = f"{COPY}. {'tap ' * MAX_WORDS}"
    assert of(f"{ABOUT} {text}", detail="full") == CheckedAnswer(text.strip(), True, None)


def test_what_an_endpoint_refused_keeps_the_endpoints_reason() -> None:
    assert check_answer(Completion("", refused="content refused"), SAID, "en", "high_level").reason == "content refused"


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
def test_an_intent_may_be_in_english_or_in_the_language_of_its_conversation(
    topic: str, language: str | None, foreign: bool
) -> None:
    assert is_foreign(topic, language) == foreign
