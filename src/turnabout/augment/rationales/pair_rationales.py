"""Rationales about pairs, checked for sycophancy.

A model that knows the preferred reply finds arguments for either side. RDPO's rationales are written by a model that
saw the label. The same model is therefore asked to argue for the other reply too. Where that argument convinces it as
much, neither argument has said anything about the replies.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import polars as pl
from rapidfuzz.fuzz import ratio

from turnabout.augment.base import AugmentContext, build_outcome
from turnabout.augment.one_sentence import extract_first_sentence, find_sentence_fault
from turnabout.augment.presented_pairs import PresentedPair, present_pairs
from turnabout.augment.rationales.conviction import Argument, measure_convictions
from turnabout.core import schemas
from turnabout.core.conversations import REPLY_KEY
from turnabout.core.messages import Message
from turnabout.generation import Sampling
from turnabout.judging.choice import ChoiceOptions
from turnabout.preferences.base import NEAR_IDENTICAL
from turnabout.prompting.record import NOTICE
from turnabout.prompting.structured import UnusableAnswer

Kind = Literal["general", "specific"]

VERSION = "pair-rationale-2"

REQUESTS: dict[Kind, str] = {
    "general": "In one sentence, say which quality of the preferred reply makes it better for this person.",
    "specific": "In one sentence, name what in the words of both replies makes the preferred reply better.",
}

TASK = """\
Two replies, A and B, could follow the last message of a conversation. The person prefers reply {letter}.
{notice}
{record}

{request} Write only about the replies, and call them the preferred reply and the other reply."""

#: Beginning of every rationale. It names neither A nor B, so that it can be read without the order of the replies.
PREFILL = "The preferred reply is better because it"


class RationaleOptions(NamedTuple):
    """The kinds of rationale to write, and how the model says what convinced it."""

    kinds: tuple[Kind, ...]
    by: Literal["scores", "answers"]
    max_verdict_tokens: int
    retries: int


class RationaleDraft(NamedTuple):
    """One rationale before its check against the flipped one.

    `pair` is the index of its pair; `fault` says why it is not kept, if it is not.
    """

    pair: int
    kind: Kind
    text: str
    fault: str | None


def write_pair_rationales(pairs: pl.DataFrame, context: AugmentContext, options: RationaleOptions) -> pl.DataFrame:
    """Return one rationale per pair and kind, in the order of `pairs`.

    `pairs` has the columns `PAIR_COLUMNS`; the result is of `schemas.RATIONALES`.
    """
    presented = present_pairs(pairs, context.seed)
    requests = [(i, kind) for i in range(len(presented)) for kind in options.kinds]
    drafts = _write_drafts(presented, requests, context, flipped=False)
    sound = [i for i, draft in enumerate(drafts) if draft.fault is None]
    flipped = _write_drafts(presented, [requests[i] for i in sound], context, flipped=True)
    checks = _check_drafts(presented, [drafts[i] for i in sound], flipped, context=context, options=options)
    check_columns = dict(zip(sound, checks, strict=True))
    pair_keys = pairs.select(*REPLY_KEY, "better").to_dicts()
    rows = []
    for i, draft in enumerate(drafts):
        columns = check_columns.get(i, {"reason": draft.fault})
        rows.append(
            {
                **dict.fromkeys(schemas.RATIONALES),
                **pair_keys[draft.pair],
                "kind": draft.kind,
                "order": presented[draft.pair].order,
                "rationale": draft.text,
                **columns,
                **build_outcome(context, VERSION, columns["reason"]),
            }
        )
    return pl.DataFrame(rows, schema=schemas.RATIONALES)


def _write_drafts(
    presented: Sequence[PresentedPair],
    requests: Sequence[tuple[int, Kind]],
    context: AugmentContext,
    flipped: bool,
) -> list[RationaleDraft]:
    """Return an argument per request (the index of a pair and a kind).

    It is for the better reply or, if `flipped`, for the worse one.
    """
    prompts: list[list[Message]] = []
    for i, kind in requests:
        prompt = _build_prompt(presented[i], kind, flipped, context.max_prompt_tokens)
        prompts.append([{"role": "user", "content": prompt}])
    sampling = Sampling(context.max_new_tokens, seed=context.seed, prefill=PREFILL)
    answers = context.generator.generate(prompts, sampling)
    drafts = []
    for (i, kind), answer in zip(requests, answers, strict=True):
        texts = [presented[i].better, presented[i].worse]
        fault = find_sentence_fault(answer, PREFILL, texts, specific=kind == "specific")
        drafts.append(RationaleDraft(pair=i, kind=kind, text=extract_first_sentence(answer.text), fault=fault))
    return drafts


def _build_prompt(pair: PresentedPair, kind: Kind, flipped: bool, max_tokens: int) -> str:
    """Return the question for one rationale.

    It says that the person prefers the better reply or, if `flipped`, the other one.
    """
    letter = "A" if (pair.order == "cr") != flipped else "B"
    return TASK.format(letter=letter, notice=NOTICE, record=pair.build_record(max_tokens), request=REQUESTS[kind])


def _check_drafts(
    presented: Sequence[PresentedPair],
    drafts: Sequence[RationaleDraft],
    flipped: Sequence[RationaleDraft],
    *,
    context: AugmentContext,
    options: RationaleOptions,
) -> list[dict[str, Any]]:
    """Return the columns that compare each rationale with its flipped one."""
    arguments = [Argument(presented[draft.pair], draft.text, for_better=True) for draft in drafts]
    counterarguments = [Argument(presented[draft.pair], draft.text, for_better=False) for draft in flipped]
    choice_options = ChoiceOptions(
        by=options.by, max_new_tokens=options.max_verdict_tokens, retries=options.retries, seed=context.seed
    )
    convictions = measure_convictions(
        context.generator, [*arguments, *counterarguments], context.max_prompt_tokens, choice_options
    )
    columns = []
    for i, (draft, other) in enumerate(zip(drafts, flipped, strict=True)):
        if other.text:
            columns.append(_compare_convictions(convictions[i], convictions[len(drafts) + i], draft.text, other.text))
        else:
            columns.append({"reason": f"flipped {other.fault}"})
    return columns


def _compare_convictions(
    conviction: float | UnusableAnswer, conviction_flipped: float | UnusableAnswer, text: str, flipped: str
) -> dict[str, Any]:
    """Return the columns of one check.

    Nearly the same words for both replies argue for either side, however much they convince.
    """
    if isinstance(conviction, UnusableAnswer):
        return {"flipped": flipped, "reason": f"verdict {conviction.reason}"}
    if isinstance(conviction_flipped, UnusableAnswer):
        return {"flipped": flipped, "reason": f"verdict {conviction_flipped.reason}"}
    for_either_side = conviction <= conviction_flipped or ratio(text, flipped) >= NEAR_IDENTICAL
    return {
        "flipped": flipped,
        "conviction": conviction,
        "conviction_flipped": conviction_flipped,
        "reason": "argues for either side" if for_either_side else None,
    }
