"""Checks of answers: the intent of an answer, or why it is not usable."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from turnabout.generation import Completion
from turnabout.intents.questions import ABOUT, WHOSE, Detail
from turnabout.text.language_detection import detect_languages
from turnabout.text.shared_words import shares_word_run

#: Number of words in a row that an intent must not share with one of the user's messages.
LEAK_WORDS = 8

#: Largest number of words of a high-level intent, after the fixed beginning.
MAX_WORDS = 60

#: Beginnings that do not complete the given sentence: refusals, introductions, remarks about the task, echoes.
ASIDE = re.compile(
    r"I\b|[\[{<]|(?i:sorry|unfortunately|as an? (ai|assistant|language model)|sure|certainly|of course|ok(ay)?"
    r"|here(['’]s| is| are)|(the|this) (conversation|excerpt|summary|record)|it (is|seems|appears)|there (is|are)"
    r"|you (are|asked|want)|let me|please)\b|.*\b[AB]:"
)

#: The end of a sentence.
SENTENCE_END = re.compile(r"[.!?](?=\s|$)|[。！？\n]")

#: What a usable answer needs, by the reason why one is unusable, and how to get usable answers.
REMEDIES = {
    "empty": "it is empty after its beginning; choose another model",
    "cut off": "it must end within intend.max_new_tokens; raise that, or choose a model that writes less",
    "no completion": "it must complete the sentence that it begins with; choose another model",
    "too long": f"a high-level intent has at most {MAX_WORDS} words; choose another model, or set intend.detail: full",
    "language": "it must be in English or in the language of its conversation; choose a model that writes English",
    "leak": f"it shares {LEAK_WORDS} words in a row with the user; choose another model, or set intend.detail: full",
}


class CheckedAnswer(NamedTuple):
    """The content of an answer and the result of its checks."""

    topic: str
    """The text after the fixed beginning."""
    leaks: bool
    """Whether the topic shares `LEAK_WORDS` words in a row with the user."""
    reason: str | None
    """Why the answer is unusable, or None."""


def check_answer(answer: Completion, user_texts: Sequence[str], language: str | None, detail: Detail) -> CheckedAnswer:
    """Check an answer about a conversation with these user messages.

    `language` is that of the conversation, or None if it is unknown. The answer may repeat the beginning it was given
    or continue it. In detail `full` it may have any length and share any words with the user, because the prompt asks
    for that.
    """
    if answer.refused:
        return CheckedAnswer("", False, answer.refused)
    text = answer.text.strip().removeprefix(ABOUT).strip(' \t:*"“”')
    stop = SENTENCE_END.search(text) if detail == "high_level" else None
    topic = " ".join((text[: stop.start()] if stop else text).split()).rstrip(' .!?"”')
    topic = re.sub(r"\b([AB])['’]s\b", lambda speaker: WHOSE[speaker[1]], topic)
    leaks = shares_word_run(topic, user_texts, LEAK_WORDS)
    faults = {
        "empty": not topic,
        "cut off": answer.truncated and stop is None,
        "no completion": ASIDE.match(topic) is not None,
        "too long": detail == "high_level" and len(topic.split()) > MAX_WORDS,
        "language": is_foreign(topic, language),
        "leak": detail == "high_level" and leaks,
    }
    reason = next((reason for reason, applies in faults.items() if applies), None)
    return CheckedAnswer(topic, leaks, reason)


def is_foreign(topic: str, language: str | None) -> bool:
    """Return whether a topic is neither in English nor in the given language.

    If one of the languages is unknown, the topic is not foreign. A topic in Latin script must also be detected as
    foreign after the English words that it completes, so that a name or two do not count. Related languages (Norwegian
    and Danish) are distinguished no better than `detect_languages` does.
    """
    if language is None:
        return False
    alone, in_sentence = detect_languages(pl.Series([topic, f"{ABOUT} {topic}"]))
    is_sure = in_sentence != "en" or re.search("[A-Za-z]", topic) is None
    return is_sure and alone not in (None, "en", language)
