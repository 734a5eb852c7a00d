"""A user's preferences about replies, read from a model's answer.

Each preference is checked by itself.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from turnabout.generation import Completion
from turnabout.prompting.json_strings import JSON_STRING, parse_json_string
from turnabout.prompting.structured import UnusableAnswer
from turnabout.text.copying import copies_later_text, split_words
from turnabout.text.language_codes import normalize_language

#: Beginning of every preference, so that it is about replies and not about the topic.
OPENING = "The user prefers replies that"

PREFILL = f'{{"preferences": ["{OPENING}'

#: Fewest and most words after the opening.
MIN_WORDS, MAX_WORDS = 1, 25

#: A preference that shares so many words in a row with what the user said is a copy.
COPIED_WORDS = 8

LIST = re.compile(r'\{\s*"preferences"\s*:\s*\[')
ITEM = re.compile(rf"\s*{JSON_STRING}\s*[,\]]", re.DOTALL)

#: Names: words that begin with a capital. Those of three letters or less may be a language's code, but not its name.
NAMES = re.compile(r"\b[A-Z]\w+")
CODE_LETTERS = 3


class PreferencesAnswer(msgspec.Struct):
    """The requested shape of an answer.

    Answers are read leniently, see `read_preferences`.
    """

    preferences: list[str]


class PreferenceList(NamedTuple):
    """The preferences that are kept, and the reason of each that was dropped."""

    kept: list[str]
    dropped: list[str]


def read_preferences(
    answer: Completion, max_sentences: int, user_texts: Sequence[str], all_texts: Sequence[str]
) -> PreferenceList:
    """Return the preferences in an answer, at most `max_sentences`.

    `user_texts` is all that the user said, `all_texts` the whole conversation. Of a list that was cut off, the closed
    strings count. Raises `UnusableAnswer` where no preference is kept.
    """
    preferences = PreferenceList([], [])
    for text in _list_sentences(answer):
        if len(preferences.kept) == max_sentences:
            fault: str | None = "too many"
        else:
            fault = find_preference_fault(text, user_texts, all_texts, preferences.kept)
        if fault is None:
            preferences.kept.append(text)
        else:
            preferences.dropped.append(fault)
    if not preferences.kept:
        reason = preferences.dropped[0] if preferences.dropped else "empty"
        raise UnusableAnswer(reason, f'no sentence in it can be used: {reason}; each must begin "{OPENING}"')
    return preferences


def find_preference_fault(
    sentence: str, user_texts: Sequence[str], all_texts: Sequence[str], earlier: Sequence[str]
) -> str | None:
    """Return why a preference is dropped, or None.

    `earlier` preferences are already kept.
    """
    if not sentence.startswith(OPENING):
        return "not about replies"
    rest = sentence.removeprefix(OPENING).strip()
    if not MIN_WORDS <= len(split_words(rest)) <= MAX_WORDS:
        return "not a short sentence"
    if re.search(r"[.!?]\s+\S", rest):
        return "several sentences"
    if split_words(sentence) in map(split_words, earlier):
        return "said twice"
    if copies_later_text(rest, user_texts, [], COPIED_WORDS):
        return "copies the user"
    conversation_words: set[str] = set()
    for text in all_texts:
        conversation_words.update(split_words(text))
    return "names what nobody named" if _find_names(rest) - conversation_words else None


def _find_names(text: str) -> set[str]:
    """Return the names in a text, in lower case, except those of languages.

    A user may ask for replies in a language.
    """
    names = NAMES.findall(text)
    return {name.lower() for name in names if len(name) <= CODE_LETTERS or normalize_language(name) is None}


def _list_sentences(answer: Completion) -> list[str]:
    """Return the closed strings of the answer's list, in order.

    Raises `UnusableAnswer` where there is no list.
    """
    if answer.refused:
        raise UnusableAnswer(answer.refused, "there was no answer")
    text = answer.text.strip()
    beginning = LIST.match(text)
    if beginning is None:
        raise UnusableAnswer("not JSON", 'it is not one JSON object with the field "preferences", a list of sentences')
    sentences = []
    position = beginning.end()
    while item := ITEM.match(text, position):
        sentences.append(parse_json_string(item.group(1)) or "")
        position = item.end()
        if item.group().endswith("]"):
            break
    if not sentences and answer.truncated:
        raise UnusableAnswer("truncated", "it was cut off; answer in fewer words")
    return sentences
