"""Analytical Critique Units: one flaw of a reply each.

A unit has the words that show the flaw and a suggestion how to fix it. Several critics write units independently
(MultiCritique, Lan et al., arXiv 2410.15287, §3).
"""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import msgspec

from turnabout.augment.base import AugmentContext
from turnabout.core.config import Section
from turnabout.generation import Completion
from turnabout.generation.registry import AnyModel
from turnabout.prompting.record import NOTICE, format_record
from turnabout.prompting.structured import AskOptions, Question, UnusableAnswer, ask_structured, parse_json

#: What a critic examines, by the name of its perspective.
PERSPECTIVES = {
    "task": "whether it does everything that the user asked for, and nothing else",
    "facts": "whether what it says is true, well reasoned, and consistent with what was said before",
    "person": "whether it responds to this person: what they meant, what they said about themselves, and how they feel",
    "form": "whether it is clear, well organised, and of a suitable length",
}

#: Most units one critic may write about one reply.
MAX_UNITS = 4

CRITIC_TASK = """\
Criticise an assistant's reply to the last message of a conversation. Judge one thing only: {question}.
{notice}
{record}

List at most {max_units} flaws, the worst first. If there is no flaw, give an empty list. Answer with one JSON object
and nothing else. Each flaw has a location (words of the reply that show it, copied exactly; "" for the whole reply),
the flaw, a suggestion how to fix it, the criterion that the reply fails in two to four words, and its severity, from 1
(slight) to 5 (the reply is useless to the user). Answers look like these, which are about other replies:
{{"units": [{{"location": "in 1975", "flaw": "The year is wrong.", "suggestion": "Give the year of the first edition.",\
 "criterion": "true facts", "severity": 4}}]}}
{{"units": []}}"""


class Critic(Section):
    """One critic: its perspective, and its model if that is not the stage's."""

    renamed_keys: ClassVar = {"author": "generator"}

    perspective: Literal["task", "facts", "person", "form"]
    generator: AnyModel | None = None


class Unit(msgspec.Struct):
    """The shape of one flaw in a critic's answer."""

    location: str
    flaw: str
    suggestion: str
    criterion: str
    severity: Annotated[int, msgspec.Meta(ge=1, le=5)]


class Units(msgspec.Struct):
    """The shape of a critic's answer."""

    units: Annotated[list[Unit], msgspec.Meta(max_length=MAX_UNITS)]


class CriticUnit(NamedTuple):
    """One unit with its critic.

    `unit` is None where a critic's answer could not be used. A unit without a `reason` against it is sound.
    """

    critic: str
    unit: Unit | None
    label: str | None = None
    reason: str | None = None


def write_units(
    rows: Sequence[dict[str, Any]], critics: Sequence[Critic], context: AugmentContext, options: AskOptions
) -> list[list[CriticUnit]]:
    """Return the units of all critics for each criticised reply.

    They are in the order of the critics.

    `prefill` and `shape` of `options` are replaced by those of a critic's answer.
    """
    units_by_row: list[list[CriticUnit]] = [[] for _ in rows]
    critic_options = options._replace(prefill='{"units": [', shape=Units)
    for critic in critics:
        generator = context.generator if critic.generator is None else context.open_model(critic.generator)
        name = f"{critic.perspective}: {generator.name}"
        questions = [
            Question(_build_critic_prompt(row, critic, context.max_prompt_tokens), _read_units) for row in rows
        ]
        answers = ask_structured(generator, questions, critic_options)
        for units, row, answer in zip(units_by_row, rows, answers, strict=True):
            units += _check_quotes(name, answer, row["reply"])
    return units_by_row


def _build_critic_prompt(row: dict[str, Any], critic: Critic, max_tokens: int) -> str:
    """Return what one critic is asked about one reply."""
    return CRITIC_TASK.format(
        question=PERSPECTIVES[critic.perspective],
        notice=NOTICE,
        record=format_record(row, max_tokens),
        max_units=MAX_UNITS,
    )


def _read_units(answer: Completion) -> list[Unit]:
    """Return the units of one answer. Raises `UnusableAnswer`."""
    units = parse_json(answer, Units).units
    if not all(unit.flaw.strip() and unit.suggestion.strip() for unit in units):
        raise UnusableAnswer("empty flaw", "a flaw or a suggestion is empty; give both, or leave the flaw out")
    return units


def _check_quotes(critic: str, units: list[Unit] | UnusableAnswer, reply: str) -> list[CriticUnit]:
    """Return the units of one answer.

    A reason marks those that misquote the reply.
    """
    if isinstance(units, UnusableAnswer):
        return [CriticUnit(critic, None, reason=units.reason)]
    checked = []
    for unit in units:
        is_quoted = _normalize_spaces(unit.location) in _normalize_spaces(reply)
        checked.append(CriticUnit(critic, unit, reason=None if is_quoted else "quote not in the reply"))
    return checked


def _normalize_spaces(text: str) -> str:
    """Return the text with every run of white space as one space.

    Models seldom keep line breaks when they copy.
    """
    return " ".join(text.split())
