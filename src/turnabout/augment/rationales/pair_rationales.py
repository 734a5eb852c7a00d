"""Rationales about pairs, checked for sycophancy: a model that is told who won will find words for either side.

RDPO's rationales are written by a model that saw the label. The same model is therefore asked to argue for the other
reply, too, and where that convinces it as much, neither argument has told anything about the replies.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import polars as pl
from rapidfuzz.fuzz import ratio

from turnabout.augment.base import Writing
from turnabout.augment.candidates import REPLY
from turnabout.augment.one_sentence import fault, first_sentence
from turnabout.augment.presented_pairs import Shown, shown
from turnabout.augment.rationales.conviction import Argument, Verdict, convictions
from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.generation import Completion, Sampling
from turnabout.preferences.base import NEAR_IDENTICAL
from turnabout.prompting.record import NOTICE
from turnabout.prompting.structured import Asking, Unusable

Kind = Literal["general", "specific"]

VERSION = "pair-rationale-1"

ASKED: dict[Kind, str] = {
    "general": "Say in one sentence which quality of the preferred reply makes it the better one for this person.",
    "specific": "Say in one sentence what in the words of both replies makes the preferred one better: name it.",
}

TASK = """\
Two replies, A and B, could follow the last message of a conversation. The person prefers reply {letter}.
{notice}
{record}

{asked} Speak about the replies only, and call them the preferred reply and the other one."""

#: Names neither A nor B, so that a rationale can be read without the order in which the replies were shown.
PREFILL = "The preferred reply is better because it"


class Reasoning(NamedTuple):
    """Which kinds of rationale are written, and how the author says which side an argument convinced it of."""

    kinds: tuple[Kind, ...]
    by: Literal["scores", "answers"]
    max_verdict_tokens: int
    retries: int


class Draft(NamedTuple):
    """One rationale on its way: its pair's place, its kind, its words, and what speaks against it."""

    place: int
    kind: Kind
    text: str
    fault: str | None


def pair_rationales(pairs: pl.DataFrame, writing: Writing, how: Reasoning) -> pl.DataFrame:
    """One rationale per pair (`compared.COMPARED`) and kind (`schemas.RATIONALES`), in the order of `pairs`."""
    seen = shown(pairs, writing.seed)
    asked = [(i, kind) for i in range(len(seen)) for kind in how.kinds]
    drafts = _written(seen, asked, writing, flipped=False)
    sound = [i for i, draft in enumerate(drafts) if draft.fault is None]
    flipped = _written(seen, [asked[i] for i in sound], writing, flipped=True)
    checks = _checked(seen, [drafts[i] for i in sound], flipped, writing, how)
    found = dict(zip(sound, checks, strict=True))
    heads = pairs.select(*REPLY, "better").to_dicts()
    rows = [
        {
            **heads[draft.place],
            "kind": draft.kind,
            "order": seen[draft.place].order,
            "rationale": draft.text,
            "author": writing.author.name,
            "prompt_version": VERSION,
            "reason": draft.fault,
            **found.get(i, {}),
        }
        for i, draft in enumerate(drafts)
    ]
    table = pl.DataFrame([{**dict.fromkeys(schemas.RATIONALES), **row} for row in rows], schema=schemas.RATIONALES)
    return table.with_columns(kept=pl.col("reason").is_null())


def _written(seen: Sequence[Shown], asked: Sequence[tuple[int, Kind]], writing: Writing, flipped: bool) -> list[Draft]:
    """An argument per pair and kind, for the better reply or, `flipped`, for the worse one."""
    prompts: list[list[Message]] = [
        [{"role": "user", "content": question(seen[i], kind, flipped, writing.max_prompt_tokens)}] for i, kind in asked
    ]
    answers = writing.author.generate(prompts, Sampling(writing.max_new_tokens, seed=writing.seed, prefill=PREFILL))
    return [_draft(seen[i], i, kind, answer) for (i, kind), answer in zip(asked, answers, strict=True)]


def question(pair: Shown, kind: Kind, flipped: bool, max_tokens: int) -> str:
    """The question for one rationale, told that the person prefers the better reply or, `flipped`, the other one."""
    letter = "A" if (pair.order == "cr") != flipped else "B"
    return TASK.format(letter=letter, notice=NOTICE, record=pair.record(max_tokens), asked=ASKED[kind])


def _draft(pair: Shown, place: int, kind: Kind, answer: Completion) -> Draft:
    against = fault(answer, PREFILL, [pair.better, pair.worse], specific=kind == "specific")
    return Draft(place, kind, first_sentence(answer.text), against)


def _checked(
    seen: Sequence[Shown], drafts: Sequence[Draft], flipped: Sequence[Draft], writing: Writing, how: Reasoning
) -> list[dict[str, Any]]:
    """How far each rationale and its flipped one won the author over, and the reason where the former did no more."""
    ours = [Argument(seen[d.place], d.text, for_better=True) for d in drafts]
    theirs = [Argument(seen[d.place], d.text, for_better=False) for d in flipped]
    asking = Asking('{"reason": "', how.max_verdict_tokens, how.retries, writing.seed, Verdict)
    found = convictions(writing.author, [*ours, *theirs], how.by, writing.max_prompt_tokens, asking)
    return [
        _check(for_it, against, own.text, other.text) if other.text else {"reason": f"flipped {other.fault}"}
        for for_it, against, own, other in zip(found[: len(ours)], found[len(ours) :], drafts, flipped, strict=True)
    ]


def _check(for_it: float | Unusable, against: float | Unusable, own: str, other: str) -> dict[str, Any]:
    """The columns of one check; the same words for both replies argue for either side, whatever they convince of."""
    if isinstance(for_it, Unusable):
        return {"flipped": other, "reason": f"verdict {for_it.reason}"}
    if isinstance(against, Unusable):
        return {"flipped": other, "reason": f"verdict {against.reason}"}
    either = for_it <= against or ratio(own, other) >= NEAR_IDENTICAL
    reason = "argues for either side" if either else None
    return {"flipped": other, "conviction": for_it, "conviction_flipped": against, "reason": reason}
