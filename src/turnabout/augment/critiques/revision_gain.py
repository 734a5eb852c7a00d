"""Whether acting on a critique makes a reply better.

Revisions that follow the critique are compared with revisions without it. MultiCritique (Lan et al., arXiv 2410.15287),
§4: a preference between critiques is kept only where the mean reward of the revisions that follow one is above that of
the others; without this check training on critiques did harm.
"""

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from turnabout.augment.base import AugmentContext
from turnabout.core.messages import Message
from turnabout.errors import ConfigError
from turnabout.follow_ups import Phrases, compute_follow_up_rewards, load_phrases
from turnabout.generation import Completion, Generator, Sampling
from turnabout.generation.config import ModelConfig
from turnabout.intents.wording import FALLBACK
from turnabout.judging.base import Comparison, JudgeOptions, Verdict
from turnabout.judging.pairwise import compare
from turnabout.prompting.excerpts import CHARS_PER_TOKEN, keep_newest
from turnabout.prompting.fencing import fence
from turnabout.prompting.record import NOTICE, format_record
from turnabout.prompting.structured import UnusableAnswer

REVISE = """\
Rewrite an assistant's reply to the last message of a conversation so that it helps the user better.
{notice}
{record}
{critique}
Answer only with the new reply, addressed to the user."""

#: Revisions are sampled, since n greedy ones would be the same text.
TEMPERATURE, TOP_P = 0.7, 0.9

#: Takes rows and the revisions of each with and without a critique; returns how much better the former are, per row.
RevisionComparison = Callable[
    [Sequence[dict[str, Any]], list[list[str]], list[list[str]]], Sequence[float | UnusableAnswer]
]


class RevisionTrial(NamedTuple):
    """Settings of a trial of critiques by revision."""

    n_revisions: int
    """Revisions of either kind per reply."""
    max_new_tokens: int
    """Longest revision, in tokens."""
    compare: RevisionComparison


def measure_gains(
    rows: Sequence[dict[str, Any]], critiques: Sequence[str], context: AugmentContext, trial: RevisionTrial
) -> list[float | UnusableAnswer]:
    """Return the gain of each critique: mean(with) - mean(without).

    Above 0 the critique helped.
    """
    guidance = [f"{fence('critique', critique)}\nFollow the critique." for critique in critiques]
    with_critique = _write_revisions(rows, guidance, context, trial)
    without = _write_revisions(rows, [""] * len(rows), context, trial)
    refusals = [_find_refusal([*guided, *free]) for guided, free in zip(with_critique, without, strict=True)]
    answered = [i for i, refusal in enumerate(refusals) if refusal is None]
    compared = trial.compare(
        [rows[i] for i in answered],
        [_extract_texts(with_critique[i]) for i in answered],
        [_extract_texts(without[i]) for i in answered],
    )
    gains = dict(zip(answered, compared, strict=True))
    return [gains[i] if refusal is None else refusal for i, refusal in enumerate(refusals)]


def build_comparison(
    context: AugmentContext, judge: ModelConfig | None, *, phrases_per_dimension: int, retries: int
) -> RevisionComparison:
    """Return how revisions are compared: by a judge, or by `augment.user`.

    A judge compares by its mean strength of preference, from -1 to 1; it is asked again `retries` times after an answer
    that cannot be used. The user model compares by the likelihood of `phrases_per_dimension` follow-ups of each sign,
    in nats per token. Raises `ConfigError` where a model would compare its own revisions.
    """
    scorer = context.open_user() if judge is None else context.open_model(judge)
    if scorer.name == context.generator.name:
        raise ConfigError(
            f"{'augment.user' if judge is None else 'judge'}: '{scorer.name}' would compare revisions of its own; name "
            "another model, such as `user: models/user` under `augment`"
        )
    if judge is not None:
        return _compare_by_judge(scorer, JudgeOptions(by="answers", retries=retries, seed=context.seed))
    phrases = load_phrases(phrases_per_dimension)
    return _compare_by_follow_ups(scorer, phrases, CHARS_PER_TOKEN * context.max_prompt_tokens)


def _write_revisions(
    rows: Sequence[dict[str, Any]], guidance: Sequence[str], context: AugmentContext, trial: RevisionTrial
) -> list[list[Completion]]:
    """Return `n_revisions` revisions per row.

    The i-th draw of every row has its own seed.
    """
    prompts: list[list[Message]] = []
    for row, text in zip(rows, guidance, strict=True):
        prompts.append([{"role": "user", "content": _build_revision_prompt(row, text, context.max_prompt_tokens)}])
    draws = []
    for i in range(trial.n_revisions):
        sampling = Sampling(trial.max_new_tokens, temperature=TEMPERATURE, top_p=TOP_P, seed=context.seed + i)
        draws.append(context.generator.generate(prompts, sampling))
    return [list(of_row) for of_row in zip(*draws, strict=True)]


def _find_refusal(revisions: Sequence[Completion]) -> UnusableAnswer | None:
    """Return why revisions cannot be compared, or None.

    If one of them was refused, its text is unknown.
    """
    reasons = [revision.refused for revision in revisions if revision.refused]
    return UnusableAnswer(f"revision {reasons[0]}", "a revision was refused") if reasons else None


def _extract_texts(revisions: Sequence[Completion]) -> list[str]:
    return [revision.text for revision in revisions]


def _build_revision_prompt(row: dict[str, Any], guidance: str, max_tokens: int) -> str:
    """Return the question for a new reply.

    The user's next message is in neither kind of question; only the critique may tell of it.
    """
    return REVISE.format(notice=NOTICE, record=format_record(row, max_tokens, follow_up=False), critique=guidance)


def _compare_by_follow_ups(user: Generator, phrases: Phrases, max_chars: int) -> RevisionComparison:
    """Return the comparison by mean follow-up likelihood.

    The measure is that of Zhang et al., AAAI 2025.

    The user model reads the last `max_chars` characters before a revision, and the revision.
    """

    def compare_revisions(
        rows: Sequence[dict[str, Any]], better: list[list[str]], worse: list[list[str]]
    ) -> list[float]:
        contexts: list[list[Message]] = []
        for row, guided, free in zip(rows, better, worse, strict=True):
            prompt = keep_newest(row["prompt"], max_chars)
            contexts += [[*prompt, {"role": "assistant", "content": text}] for text in (*guided, *free)]
        # A user model has never seen a conversation without an intent.
        scores = iter(compute_follow_up_rewards(user, contexts, phrases, [FALLBACK] * len(contexts)))
        gains = []
        for guided, free in zip(better, worse, strict=True):
            mean_guided = fmean(next(scores) for _ in guided)
            gains.append(mean_guided - fmean(next(scores) for _ in free))
        return gains

    return compare_revisions


def _compare_by_judge(judge: Generator, options: JudgeOptions) -> RevisionComparison:
    """Return the comparison by a judge's mean strength of preference.

    The i-th revision with a critique is compared with the i-th one without. Verdicts that cannot be read are left out;
    a row without any readable verdict has no gain.
    """

    def compare_revisions(
        rows: Sequence[dict[str, Any]], better: list[list[str]], worse: list[list[str]]
    ) -> list[float | UnusableAnswer]:
        comparisons = []
        for row, guided, free in zip(rows, better, worse, strict=True):
            comparisons += [Comparison(row["prompt"], *texts) for texts in zip(guided, free, strict=True)]
        verdicts = iter(compare(judge, comparisons, options))
        return [_mean_strength([next(verdicts) for _ in guided]) for guided in better]

    return compare_revisions


def _mean_strength(verdicts: Sequence[Verdict]) -> float | UnusableAnswer:
    strengths = [verdict.strength for verdict in verdicts if verdict.readable]
    if not strengths:
        return UnusableAnswer(f"verdict {verdicts[0].reason}", "no verdict could be read")
    return fmean(strengths)
