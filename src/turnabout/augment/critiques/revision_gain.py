"""Whether acting on a critique makes a reply better: revisions that follow it against revisions that were told nothing.

MultiCritique (Lan et al., arXiv 2410.15287), §4: a preference between critiques is kept only where the mean reward of
the revisions that follow one is above that of the others; without this check training on critiques did harm.
"""

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from turnabout.augment.base import Writing
from turnabout.core.messages import Message
from turnabout.errors import ConfigError
from turnabout.follow_ups import Phrases, follow_up_likelihood, load_phrases
from turnabout.generation import Completion, Generator, Sampling
from turnabout.generation.config import Author
from turnabout.intents.wording import FALLBACK
from turnabout.judging import Verdict, pairwise
from turnabout.prompting.excerpts import CHARACTERS, newest
from turnabout.prompting.fencing import data
from turnabout.prompting.record import NOTICE, record
from turnabout.prompting.structured import Unusable

REVISE = """\
Write an assistant's reply to the last message of a conversation anew, so that it serves the user better.
{notice}
{record}
{told}
Answer with the new reply alone, addressed to the user."""

#: Drawn, for n greedy revisions would be one and the same.
TEMPERATURE, TOP_P = 0.7, 0.9


#: For rows, their revisions with and without a critique: how much better the former are, a number per row.
Comparing = Callable[[Sequence[dict[str, Any]], list[list[str]], list[list[str]]], Sequence[float | Unusable]]


class Trial(NamedTuple):
    """How critiques are tried: revisions of either kind per reply, their greatest length, and who compares them."""

    n: int
    max_new_tokens: int
    compare: Comparing


def gains(
    rows: Sequence[dict[str, Any]], critiques: Sequence[str], writing: Writing, trial: Trial
) -> list[float | Unusable]:
    """mean(with) − mean(without) per criticised reply and its critique; above 0 the critique helped."""
    told = [f"{data('critique', critique)}\nFollow the critique." for critique in critiques]
    with_it = _revisions(rows, told, writing, trial)
    without = _revisions(rows, [""] * len(rows), writing, trial)
    refused = [_refused([*ours, *theirs]) for ours, theirs in zip(with_it, without, strict=True)]
    tried = [i for i, reason in enumerate(refused) if reason is None]
    texts = [[[answer.text for answer in kind[i]] for i in tried] for kind in (with_it, without)]
    found = dict(zip(tried, trial.compare([rows[i] for i in tried], *texts), strict=True))
    return [found[i] if reason is None else reason for i, reason in enumerate(refused)]


def _revisions(
    rows: Sequence[dict[str, Any]], told: Sequence[str], writing: Writing, trial: Trial
) -> list[list[Completion]]:
    """n revisions per row; the i-th draw of every row has a seed of its own."""
    prompts: list[list[Message]] = [
        [{"role": "user", "content": revise(row, each, writing.max_prompt_tokens)}]
        for row, each in zip(rows, told, strict=True)
    ]
    draws = [
        writing.author.generate(prompts, Sampling(trial.max_new_tokens, TEMPERATURE, TOP_P, writing.seed + i))
        for i in range(trial.n)
    ]
    return [list(of_row) for of_row in zip(*draws, strict=True)]


def _refused(revisions: Sequence[Completion]) -> Unusable | None:
    """Why revisions cannot be compared: nobody knows what one of them would have been."""
    reasons = [revision.refused for revision in revisions if revision.refused]
    return Unusable(f"revision {reasons[0]}", "a revision was refused") if reasons else None


def revise(row: dict[str, Any], told: str, max_tokens: int) -> str:
    """The question for a new reply; neither kind is told what the user said next, only the critique may say it."""
    return REVISE.format(notice=NOTICE, record=record(row, max_tokens, follow_up=False), told=told)


def comparing(writing: Writing, judge: Author | None, phrases_per_dimension: int, retries: int) -> Comparing:
    """Who compares: a judge, by its mean strength of preference from -1 to 1, or else the model of `augment.user`.

    A judge is asked again `retries` times after an answer that cannot be used; the user model goes by the likelihood of
    so many follow-ups of each sign, in nats per token. Raises `ConfigError` where the author would compare its own
    revisions.
    """
    scorer = writing.open_user() if judge is None else writing.open_author(judge)
    if scorer.name == writing.author.name:
        raise ConfigError(
            f"{'augment.user' if judge is None else 'judge'}: '{scorer.name}' would compare revisions of its own; name "
            "another model, such as `user: models/user` under `augment`"
        )
    if judge is not None:
        return _by_judge(scorer, pairwise.Judging(by="answers", retries=retries, seed=writing.seed))
    return _by_follow_ups(scorer, load_phrases(phrases_per_dimension), CHARACTERS * writing.max_prompt_tokens)


def _by_follow_ups(user: Generator, phrases: Phrases, room: int) -> Comparing:
    """Follow-up likelihood of either kind of revision (Zhang et al., AAAI 2025), its mean over the revisions.

    The user has read the last `room` characters before a revision, and the revision.
    """

    def compare(rows: Sequence[dict[str, Any]], better: list[list[str]], worse: list[list[str]]) -> list[float]:
        texts = [[*ours, *theirs] for ours, theirs in zip(better, worse, strict=True)]
        prompts = [newest(row["prompt"], room) for row in rows]
        contexts: list[list[Message]] = [
            [*prompt, {"role": "assistant", "content": text}]
            for prompt, of_row in zip(prompts, texts, strict=True)
            for text in of_row
        ]
        # A user model has never seen a conversation without an intent.
        scores = iter(follow_up_likelihood(user, contexts, phrases, [FALLBACK] * len(contexts)))
        return [
            fmean(next(scores) for _ in ours) - fmean(next(scores) for _ in theirs)
            for ours, theirs in zip(better, worse, strict=True)
        ]

    return compare


def _by_judge(judge: Generator, how: pairwise.Judging) -> Comparing:
    """A judge's strength of preference for the i-th revision with a critique over the i-th without, the mean over i.

    Verdicts that cannot be read are left out; where none can, so is the row.
    """

    def compare(
        rows: Sequence[dict[str, Any]], better: list[list[str]], worse: list[list[str]]
    ) -> list[float | Unusable]:
        duels = [
            pairwise.Duel(row["prompt"], ours, theirs)
            for row, *kinds in zip(rows, better, worse, strict=True)
            for ours, theirs in zip(*kinds, strict=True)
        ]
        verdicts = iter(pairwise.compare(judge, duels, how))
        return [_mean([next(verdicts) for _ in ours]) for ours in better]

    return compare


def _mean(verdicts: Sequence[Verdict]) -> float | Unusable:
    strengths = [verdict.strength for verdict in verdicts if verdict.readable]
    return fmean(strengths) if strengths else Unusable(f"verdict {verdicts[0].reason}", "no verdict could be read")
