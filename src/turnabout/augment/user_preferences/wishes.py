"""Wishes of a user about replies, read out of a model's answer and checked one by one."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from turnabout.generation import Completion
from turnabout.prompting.json_strings import STRING, unquoted
from turnabout.prompting.structured import Unusable
from turnabout.text.copying import copies, words
from turnabout.text.language_codes import language_code

#: How every wish begins: it is then about replies and not about what was talked about.
OPENING = "The user prefers replies that"

PREFILL = f'{{"preferences": ["{OPENING}'

#: Words after the opening that make a sentence, and one that is still short.
MIN_WORDS, MAX_WORDS = 1, 25

#: A wish may not share so many words in a row with what the user said.
COPIED_WORDS = 8

LIST = re.compile(r'\{\s*"preferences"\s*:\s*\[')
ITEM = re.compile(rf"\s*{STRING}\s*[,\]]", re.DOTALL)

#: Names: words that begin with a capital. Those of three letters or less are no language's name but may be its code.
NAMES = re.compile(r"\b[A-Z]\w+")
CODE_LETTERS = 3


class Listing(msgspec.Struct):
    """An answer as it is asked for; it is read leniently, see `read`."""

    preferences: list[str]


class Wishes(NamedTuple):
    """The wishes that hold, and the reason of each that was left out."""

    held: list[str]
    dropped: list[str]


def read(answer: Completion, most: int, said: Sequence[str], talk: Sequence[str]) -> Wishes:
    """The wishes of an answer; `said` is all the user said, `talk` the whole conversation.

    Raises `Unusable` where none of them holds.

    A list that was cut off counts as far as its strings are closed.
    """
    wishes = Wishes([], [])
    for text in _listed(answer):
        wrong = "too many" if len(wishes.held) == most else fault(text, said, talk, wishes.held)
        if wrong is None:
            wishes.held.append(text)
        else:
            wishes.dropped.append(wrong)
    if not wishes.held:
        reason = wishes.dropped[0] if wishes.dropped else "empty"
        raise Unusable(reason, f'no sentence in it can be used: {reason}; each must begin "{OPENING}"')
    return wishes


def fault(wish: str, said: Sequence[str], talk: Sequence[str], before: Sequence[str]) -> str | None:
    """Why a wish is left out, or None."""
    if not wish.startswith(OPENING):
        return "not about replies"
    rest = wish.removeprefix(OPENING).strip()
    if not MIN_WORDS <= len(words(rest)) <= MAX_WORDS:
        return "not a short sentence"
    if re.search(r"[.!?]\s+\S", rest):
        return "several sentences"
    if words(wish) in map(words, before):
        return "said twice"
    if copies(rest, said, [], COPIED_WORDS):
        return "copies the user"
    if _names(rest) - {word for text in talk for word in words(text)}:
        return "names what nobody named"
    return None


def _names(text: str) -> set[str]:
    """The names in a text, in lower case, but for those of languages: a user asks for one in that language."""
    names = NAMES.findall(text)
    return {name.lower() for name in names if len(name) <= CODE_LETTERS or language_code(name) is None}


def _listed(answer: Completion) -> list[str]:
    """The closed strings of the answer's list, in order. Raises `Unusable` where there is no list."""
    if answer.refused:
        raise Unusable(answer.refused, "there was no answer")
    text = answer.text.strip()
    opened = LIST.match(text)
    if opened is None:
        raise Unusable("not JSON", 'it is not one JSON object with the field "preferences", a list of sentences')
    found, place = [], opened.end()
    while item := ITEM.match(text, place):
        found.append(unquoted(item.group(1)) or "")
        place = item.end()
        if item.group().endswith("]"):
            break
    if not found and answer.truncated:
        raise Unusable("truncated", "it was cut off; answer in fewer words")
    return found
