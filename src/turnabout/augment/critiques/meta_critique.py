"""The meta-critique: each unit labelled for its quality, apart from the others, and the good ones merged into one text.

MultiCritique (Lan et al., arXiv 2410.15287), §3: a judge sees the other critics' units while it labels one; critics
do not debate, which made their units alike. The labels are seven, as there; their definitions are ours.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from turnabout.augment.critiques.units import Unit, Written
from turnabout.generation import Completion, Generator
from turnabout.prompting.fencing import data
from turnabout.prompting.record import NOTICE, record
from turnabout.prompting.structured import Asking, Question, Unusable, ask, shaped

Label = Literal["sound", "slight", "vague", "misplaced", "mistaken", "unasked", "harmful"]

#: Quality of a unit by label. Only sound ones are merged.
LABELS: dict[Label, str] = {
    "sound": "the flaw is real and matters, and the suggestion mends it",
    "slight": "the flaw is real, but nobody would mind it",
    "vague": "it could be said of almost any reply, or nobody could act on it",
    "misplaced": "the flaw is real, but not in the words it points to",
    "mistaken": "what it calls a flaw is none",
    "unasked": "it wants something that this user did not ask for",
    "harmful": "the flaw is real, but the suggestion would make the reply worse",
}

LABEL = """\
Judge one point of criticism of an assistant's reply, going by the conversation and by what the user said next.
{notice}
{record}
{point}
{others}

Label the point alone; the other points only help to see it. The labels:
{labels}

Answer with one JSON object and nothing else: the reason in one short sentence, then the label. It looks like this:
{{"reason": "Why this label.", "label": "sound"}}"""

MERGE = """\
Write one critique of an assistant's reply from the points of criticism below.
{notice}
{record}
{points}

Say in at most three sentences what is wrong with the reply and what a better one would do: the worst first, nothing
twice, nothing that the points do not say. Do not write the better reply. Answer with one JSON object and nothing else:
{{"critique": "The critique."}}"""


class Labelled(msgspec.Struct):
    """A label as it must come. The reason comes first, so that the label follows from it."""

    reason: str
    label: Label


class Merged(msgspec.Struct):
    """A merged critique as it must come."""

    critique: str


def labelled(
    author: Generator,
    rows: Sequence[dict[str, Any]],
    units: Sequence[Sequence[Written]],
    max_prompt_tokens: int,
    how: Asking,
) -> list[list[Written]]:
    """The units of every reply, those without a reason against them labelled: what is not sound is not kept."""
    judged = [list(of_reply) for of_reply in units]
    places = [(i, j) for i, of_reply in enumerate(judged) for j, unit in enumerate(of_reply) if unit.reason is None]
    questions = [
        Question(
            _label_question(rows[i], units[i], j, max_prompt_tokens), lambda answer: shaped(answer, Labelled).label
        )
        for i, j in places
    ]
    labels = ask(author, questions, how)
    for (i, j), label in zip(places, labels, strict=True):
        if isinstance(label, Unusable):
            judged[i][j] = judged[i][j]._replace(reason=f"label {label.reason}")
        else:
            judged[i][j] = judged[i][j]._replace(label=label, reason=None if label == "sound" else label)
    return judged


def merged(
    author: Generator,
    rows: Sequence[dict[str, Any]],
    units: Sequence[Sequence[Written]],
    max_prompt_tokens: int,
    how: Asking,
) -> list[str | Unusable]:
    """One critique per reply from its sound units; a single unit is its own critique and costs no question."""
    sound = [[each.unit for each in of_reply if each.unit and each.reason is None] for of_reply in units]
    several = [i for i, of_reply in enumerate(sound) if len(of_reply) > 1]
    questions = [Question(_merge_question(rows[i], sound[i], max_prompt_tokens), _read_merged) for i in several]
    answers = ask(author, questions, how)
    texts: dict[int, str | Unusable] = dict(zip(several, answers, strict=True))
    return [texts[i] if i in texts else _alone(of_reply, units[i]) for i, of_reply in enumerate(sound)]


def _alone(sound: Sequence[Unit], units: Sequence[Written]) -> str | Unusable:
    """The words of the only sound unit, or why there is none."""
    if sound:
        return f"{sound[0].flaw.strip()} {sound[0].suggestion.strip()}"
    if not units:
        return Unusable("no flaw found", "no critic found a flaw")
    if all(each.unit is None for each in units):
        return Unusable("no usable answer", "no critic's answer could be used")
    return Unusable("no sound unit", "no unit was labelled sound")


def _label_question(row: dict[str, Any], units: Sequence[Written], place: int, max_tokens: int) -> str:
    others = [each.unit for j, each in enumerate(units) if each.unit and j != place]
    return LABEL.format(
        notice=NOTICE,
        record=record(row, max_tokens),
        point=data("point", msgspec.to_builtins(units[place].unit)),
        others=data("other_points", msgspec.to_builtins(others)),
        labels="\n".join(f"- {name}: {told}" for name, told in LABELS.items()),
    )


def _merge_question(row: dict[str, Any], units: Sequence[Unit], max_tokens: int) -> str:
    points = data("points", msgspec.to_builtins(sorted(units, key=lambda unit: -unit.severity)))
    return MERGE.format(notice=NOTICE, record=record(row, max_tokens), points=points)


def _read_merged(answer: Completion) -> str:
    text = shaped(answer, Merged).critique.strip()
    if not text:
        raise Unusable("empty critique", "the critique is empty; write one to three sentences")
    return text
