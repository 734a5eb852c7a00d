"""What an answer comes to: the intent it holds, or why it holds none that a user model may learn from."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from turnabout.generation import Completion
from turnabout.intents.questions import ABOUT, WHOSE, Detail
from turnabout.text.language_detection import detect_languages
from turnabout.text.shared_words import shares_word_run

#: Longest run of words an intent may share with one of the user's messages.
LEAK_WORDS = 8

#: Longest high-level intent, in words after the fixed beginning.
MAX_WORDS = 60

#: Beginnings that do not go on with the author's sentence: refusals, introductions, talk about the task, echoes.
ASIDE = re.compile(
    r"I\b|[\[{<]|(?i:sorry|unfortunately|as an? (ai|assistant|language model)|sure|certainly|of course|ok(ay)?"
    r"|here(['’]s| is| are)|(the|this) (conversation|excerpt|summary|record)|it (is|seems|appears)|there (is|are)"
    r"|you (are|asked|want)|let me|please)\b|.*\b[AB]:"
)

#: Where a sentence ends.
SENTENCE_END = re.compile(r"[.!?](?=\s|$)|[。！？\n]")

#: What is wrong with an answer, by its reason, and what mends a log full of them.
REMEDIES = {
    "empty": "nothing stands after its beginning; name another author",
    "cut off": "it must end within intend.max_new_tokens; raise that, or name an author that is brief",
    "no completion": "it must complete the sentence it is given to begin with; name another author",
    "too long": f"a high-level intent has at most {MAX_WORDS} words; name another author, or have intend.detail: full",
    "language": "it must be in English or in the language of its conversation; name an author that writes English",
    "leak": f"it shares {LEAK_WORDS} words in a row with the user; name another author, or have intend.detail: full",
}


class CheckedAnswer(NamedTuple):
    """What an answer names, whether that has eight words in a row of the user's, and why it is not used, or None."""

    topic: str
    leaks: bool
    reason: str | None


def check_answer(answer: Completion, user_texts: Sequence[str], language: str | None, detail: Detail) -> CheckedAnswer:
    """The answer about a conversation in `language` (null where nobody knows) in which the user `said` this.

    The answer may repeat the beginning it was given or go on from it. In full detail it may be of any length and share
    any words, for that is what is asked for.
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
    return CheckedAnswer(topic, leaks, next((reason for reason, applies in faults.items() if applies), None))


def is_foreign(topic: str, language: str | None) -> bool:
    """Whether it is in a language that is neither English nor the conversation's, as far as all three can be told.

    Letters of Latin script must read as foreign behind the English words they complete, too: a name or two do not.
    Close relatives (Norwegian and Danish) are told apart no better than `detected` does.
    """
    if language is None:
        return False
    alone, behind = detect_languages(pl.Series([topic, f"{ABOUT} {topic}"]))
    is_sure = behind != "en" or re.search("[A-Za-z]", topic) is None
    return is_sure and alone not in (None, "en", language)
