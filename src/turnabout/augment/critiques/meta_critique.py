"""The meta-critique: label each unit by quality, then merge the sound ones.

MultiCritique (Lan et al., arXiv 2410.15287), §3: a judge sees the other critics' units while it labels one. The critics
do not debate, which made their units alike. The seven labels are the paper's; their definitions are ours.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from turnabout.augment.critiques.units import CriticUnit, Unit
from turnabout.generation import Completion, Generator
from turnabout.prompting.fencing import fence
from turnabout.prompting.record import NOTICE, format_record
from turnabout.prompting.structured import AskOptions, Question, UnusableAnswer, ask_structured, parse_json

Label = Literal["sound", "slight", "vague", "misplaced", "mistaken", "unasked", "harmful"]

#: The labels of a unit and their definitions. Only sound units are merged.
LABELS: dict[Label, str] = {
    "sound": "the flaw is real and important, and the suggestion fixes it",
    "slight": "the flaw is real, but too small to matter to the user",
    "vague": "it fits almost any reply, or it is too general to act on",
    "misplaced": "the flaw is real, but it is not in the quoted words",
    "mistaken": "what it calls a flaw is not a flaw",
    "unasked": "it demands something that this user did not ask for",
    "harmful": "the flaw is real, but the suggestion would make the reply worse",
}

LABEL = """\
Judge one point of criticism of an assistant's reply, based on the conversation and on what the user said next.
{notice}
{record}
{point}
{other_points}

Label only the point. The other points are there for context. The labels:
{labels}

Answer with one JSON object and nothing else. It has two fields: "reason", in one short sentence, and then "label".
Example of the form: {{"reason": "The reason for the label.", "label": "sound"}}"""

MERGE = """\
Write one critique of an assistant's reply from the points of criticism below.
{notice}
{record}
{points}

In at most three sentences, say what is wrong with the reply and what a better reply would do. Begin with the worst
flaw. Do not say anything twice, and do not add anything that the points do not say. Do not write the better reply.
Answer with one JSON object and nothing else:
{{"critique": "The critique."}}"""


class LabelAnswer(msgspec.Struct):
    """The shape of a label.

    The reason comes first, so that the label follows from it.
    """

    reason: str
    label: Label


class MergeAnswer(msgspec.Struct):
    """The shape of a merged critique."""

    critique: str


class MetaCritic(NamedTuple):
    """A model that labels and merges the units of all critics."""

    generator: Generator
    max_prompt_tokens: int
    options: AskOptions
    """Limits of its answers; `prefill` and `shape` are replaced."""

    def label_units(
        self, rows: Sequence[dict[str, Any]], units: Sequence[Sequence[CriticUnit]]
    ) -> list[list[CriticUnit]]:
        """Return the units of every reply with their labels.

        Units with a reason against them are not labelled. A label other than sound becomes the reason of its unit.
        """
        labelled = [list(of_reply) for of_reply in units]
        positions: list[tuple[int, int]] = []
        questions: list[Question[Label]] = []
        for i, of_reply in enumerate(units):
            for j, unit in enumerate(of_reply):
                if unit.reason is None:
                    positions.append((i, j))
                    prompt = _build_label_prompt(rows[i], of_reply, j, self.max_prompt_tokens)
                    questions.append(Question(prompt, _read_label))
        options = self.options._replace(prefill='{"reason": "', shape=LabelAnswer)
        labels = ask_structured(self.generator, questions, options)
        for (i, j), label in zip(positions, labels, strict=True):
            labelled[i][j] = _add_label(labelled[i][j], label)
        return labelled

    def merge_units(
        self, rows: Sequence[dict[str, Any]], units: Sequence[Sequence[CriticUnit]]
    ) -> list[str | UnusableAnswer]:
        """Return one critique per reply, merged from its sound units.

        A single sound unit is its own critique and costs no question.
        """
        sound = [_select_sound(of_reply) for of_reply in units]
        several = [i for i, of_reply in enumerate(sound) if len(of_reply) > 1]
        questions = [
            Question(_build_merge_prompt(rows[i], sound[i], self.max_prompt_tokens), _read_critique) for i in several
        ]
        options = self.options._replace(prefill='{"critique": "', shape=MergeAnswer)
        answers = ask_structured(self.generator, questions, options)
        merged: dict[int, str | UnusableAnswer] = dict(zip(several, answers, strict=True))
        return [
            merged[i] if i in merged else _build_unmerged_critique(of_reply, units[i])
            for i, of_reply in enumerate(sound)
        ]


def _add_label(unit: CriticUnit, label: Label | UnusableAnswer) -> CriticUnit:
    if isinstance(label, UnusableAnswer):
        return unit._replace(reason=f"label {label.reason}")
    return unit._replace(label=label, reason=None if label == "sound" else label)


def _select_sound(units: Sequence[CriticUnit]) -> list[Unit]:
    return [unit.unit for unit in units if unit.unit and unit.reason is None]


def _build_unmerged_critique(sound: Sequence[Unit], units: Sequence[CriticUnit]) -> str | UnusableAnswer:
    """Return the words of the only sound unit, or why there is none."""
    if sound:
        return f"{sound[0].flaw.strip()} {sound[0].suggestion.strip()}"
    if not units:
        return UnusableAnswer("no flaw found", "no critic found a flaw")
    if all(unit.unit is None for unit in units):
        return UnusableAnswer("no usable answer", "no critic's answer could be used")
    return UnusableAnswer("no sound unit", "no unit was labelled sound")


def _build_label_prompt(row: dict[str, Any], units: Sequence[CriticUnit], index: int, max_tokens: int) -> str:
    other_points = [unit.unit for i, unit in enumerate(units) if unit.unit and i != index]
    return LABEL.format(
        notice=NOTICE,
        record=format_record(row, max_tokens),
        point=fence("point", msgspec.to_builtins(units[index].unit)),
        other_points=fence("other_points", msgspec.to_builtins(other_points)),
        labels="\n".join(f"- {label}: {definition}" for label, definition in LABELS.items()),
    )


def _build_merge_prompt(row: dict[str, Any], units: Sequence[Unit], max_tokens: int) -> str:
    points = fence("points", msgspec.to_builtins(sorted(units, key=lambda unit: -unit.severity)))
    return MERGE.format(notice=NOTICE, record=format_record(row, max_tokens), points=points)


def _read_label(answer: Completion) -> Label:
    """Return the label in an answer. Raises `UnusableAnswer`."""
    return parse_json(answer, LabelAnswer).label


def _read_critique(answer: Completion) -> str:
    """Return the critique in an answer. Raises `UnusableAnswer`."""
    text = parse_json(answer, MergeAnswer).critique.strip()
    if not text:
        raise UnusableAnswer("empty critique", "the critique is empty; write one to three sentences")
    return text
