"""Analytical Critique Units: one flaw of a reply each, with the words that show it and how to mend it.

MultiCritique (Lan et al., arXiv 2410.15287), §3: several critics write them, each on its own.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from turnabout.augment.base import Writing
from turnabout.core.config import Section
from turnabout.generation import Completion
from turnabout.generation.registry import AnyAuthor
from turnabout.prompting.record import NOTICE, record
from turnabout.prompting.structured import Asking, Question, Unusable, ask, shaped

#: What a critic looks at, by the name of its perspective.
PERSPECTIVES = {
    "task": "whether it does what the user asked for: all of it, and nothing else",
    "facts": "whether what it says is true, sound, and in line with what was said before",
    "person": "whether it takes this person up: what they meant, what they told of themselves, how they feel",
    "form": "whether it is clear, well ordered, and as long as it should be",
}

#: Most units one critic may write about one reply.
MAX_UNITS = 4

QUESTION = """\
Criticise an assistant's reply to the last message of a conversation. Look at one thing alone: {look}.
{notice}
{record}

List at most {most} flaws, the worst first; none where there is none. Answer with one JSON object and nothing else. Each
flaw has a location (words of the reply that show it, copied exactly; "" for the reply as a whole), the flaw, a
suggestion how to mend it, the criterion it fails in two to four words, and its severity, from 1 (slight) to 5 (of no
use to the user). Answers look like these, which are about other replies:
{{"units": [{{"location": "in 1975", "flaw": "The year is wrong.", "suggestion": "Give the year of the first edition.",\
 "criterion": "true facts", "severity": 4}}]}}
{{"units": []}}"""


class Critic(Section):
    """One who writes units: from which perspective, and who it is if not the stage's author."""

    perspective: Literal["task", "facts", "person", "form"]
    author: AnyAuthor | None = None


class Unit(msgspec.Struct):
    """One flaw as it must come."""

    location: str
    flaw: str
    suggestion: str
    criterion: str
    severity: Annotated[int, msgspec.Meta(ge=1, le=5)]


class Units(msgspec.Struct):
    """A critic's answer as it must come."""

    units: Annotated[list[Unit], msgspec.Meta(max_length=MAX_UNITS)]


class Written(NamedTuple):
    """One unit with its critic; `unit` is None where a critic's answer could not be used. Sound without a `reason`."""

    critic: str
    unit: Unit | None
    label: str | None = None
    reason: str | None = None


def written(
    rows: Sequence[dict[str, Any]], critics: Sequence[Critic], writing: Writing, how: Asking
) -> list[list[Written]]:
    """For each criticised reply, the units of all critics, in their order."""
    found: list[list[Written]] = [[] for _ in rows]
    for critic in critics:
        author = writing.author if critic.author is None else writing.open_author(critic.author)
        name = f"{critic.perspective}: {author.name}"
        questions = [Question(question(row, critic, writing.max_prompt_tokens), read) for row in rows]
        answers = ask(author, questions, how)
        for units, row, came in zip(found, rows, answers, strict=True):
            units += _checked(name, came, row["reply"])
    return found


def question(row: dict[str, Any], critic: Critic, max_tokens: int) -> str:
    """What one critic is asked about one reply."""
    look = PERSPECTIVES[critic.perspective]
    return QUESTION.format(look=look, notice=NOTICE, record=record(row, max_tokens), most=MAX_UNITS)


def read(answer: Completion) -> list[Unit]:
    """The units of one answer. Raises `Unusable`."""
    units = shaped(answer, Units).units
    if not all(unit.flaw.strip() and unit.suggestion.strip() for unit in units):
        raise Unusable("empty flaw", "a flaw or a suggestion is empty; give both, or leave the flaw out")
    return units


def _checked(critic: str, came: list[Unit] | Unusable, reply: str) -> list[Written]:
    """The units of one answer, those whose quote is none marked."""
    if isinstance(came, Unusable):
        return [Written(critic, None, reason=came.reason)]
    return [
        Written(critic, unit, reason=None if _flat(unit.location) in _flat(reply) else "quote not in the reply")
        for unit in came
    ]


def _flat(text: str) -> str:
    """The text with every run of white space as one space: line breaks seldom survive copying."""
    return " ".join(text.split())
