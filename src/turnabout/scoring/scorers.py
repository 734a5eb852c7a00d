"""The scoring methods.

Every function takes pairs and a `ScorerContext` and returns one raw score per pair, in order. The table `SCORERS` is in
the package's `__init__`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from turnabout.core.messages import Message
from turnabout.follow_ups import Phrases, average_rewards, calibrate_logps, compute_phrase_logps, load_phrases
from turnabout.judging.base import Comparison, JudgeOptions, Verdict
from turnabout.judging.pairwise import compare
from turnabout.prompting.excerpts import CHARS_PER_TOKEN, keep_newest
from turnabout.scoring.base import Pair, RawScore, Score, ScorerContext, prefer_higher

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Follow-ups of each sign and dimension whose likelihood is computed after each reply.
PHRASES_PER_DIMENSION = 2


def score_length(pairs: Sequence[Pair], _: ScorerContext) -> list[Score]:
    """Score replies by their number of characters.

    "Longer wins" is the baseline that any other scorer must beat.
    """
    return [prefer_higher(len(pair.a), len(pair.b)) for pair in pairs]


def score_likelihood(pairs: Sequence[Pair], context: ScorerContext) -> list[Score]:
    """Score replies by their mean log-probability per token, in nats.

    The preferred reply is the one that the model itself would rather have written. The sum of log-probabilities would
    prefer the shorter reply.
    """
    prompts = [_cut_prompt(pair, context) for pair in pairs]
    turn_scores = context.generator.score(prompts, [[pair.a, pair.b] for pair in pairs])
    return [prefer_higher(a.logp / a.n_tokens, b.logp / b.n_tokens) for a, b in turn_scores]


def compute_follow_up_logps(pairs: Sequence[Pair], context: ScorerContext) -> list[RawScore]:
    """Compute follow-ups' log-probabilities after replies, in nats per token.

    A raw score has the follow-ups after `a`, then those after `b`. `finalize_follow_up` and
    `finalize_calibrated_follow_up` make scores of them (follow-up likelihood as reward; Zhang et al., AAAI 2025).
    """
    contexts: list[list[Message]] = []
    for pair in pairs:
        prompt = _cut_prompt(pair, context)
        contexts += [[*prompt, {"role": "assistant", "content": reply}] for reply in (pair.a, pair.b)]
    intents = None if context.intent is None else [context.intent] * len(contexts)
    logps = compute_phrase_logps(context.generator, contexts, load_scorer_phrases(), intents)
    return [row.tolist() for row in logps.reshape(len(pairs), -1)]


def load_scorer_phrases() -> Phrases:
    """Load the follow-ups whose likelihood the follow-up scorers compute."""
    return load_phrases(PHRASES_PER_DIMENSION)


def finalize_follow_up(raw_scores: Sequence[RawScore]) -> list[Score]:
    """Return the reward of both replies, in nats per token.

    Only its difference within a pair is meaningful.
    """
    return _compare_rewards(_stack_by_reply(raw_scores))


def finalize_calibrated_follow_up(raw_scores: Sequence[RawScore]) -> list[Score]:
    """Return the calibrated reward of both replies, in standard deviations.

    Every follow-up is put on one scale over all pairs of the file: the unit is the standard deviation of a follow-up's
    log-probability among replies to a prompt (`follow_ups.calibration`).
    """
    prompts = [row // 2 for row in range(2 * len(raw_scores))]
    return _compare_rewards(calibrate_logps(_stack_by_reply(raw_scores), prompts))


def judge_plainly(pairs: Sequence[Pair], context: ScorerContext) -> list[Score]:
    """Score replies by the probability that the plain judge prefers them.

    The probability is 0 to 1. The judge is asked in both orders. Where the order decides, or an answer cannot be read,
    no reply is preferred.
    """
    return _run_judge(pairs, context, "plain")


def judge_by_checklist(pairs: Sequence[Pair], context: ScorerContext) -> list[Score]:
    """Score replies like `judge_plainly`, by the pair's `checklist`."""
    return _run_judge(pairs, context, "checklist")


def judge_by_self_reference(pairs: Sequence[Pair], context: ScorerContext) -> list[Score]:
    """Score replies like `judge_plainly`, by a self-referential judge.

    It first answers the prompt itself (arXiv 2406.11190).
    """
    return _run_judge(pairs, context, "self_reference")


def _run_judge(
    pairs: Sequence[Pair], context: ScorerContext, judge: Literal["plain", "checklist", "self_reference"]
) -> list[Score]:
    comparisons = [Comparison(prompt=pair.prompt, a=pair.a, b=pair.b, checklist=pair.checklist) for pair in pairs]
    options = JudgeOptions(judge, context.by, context.max_prompt_tokens)
    return [_score_verdict(verdict) for verdict in compare(context.generator, comparisons, options)]


def _score_verdict(verdict: Verdict) -> Score:
    if not verdict.readable:
        return Score(a=None, b=None, prefer=None, reason=verdict.reason)
    probability = (1 + verdict.strength) / 2
    return Score(a=probability, b=1 - probability, prefer=verdict.prefer, reason=verdict.reason)


def _stack_by_reply(raw_scores: Sequence[RawScore]) -> "NDArray[np.float64]":
    """Return raw scores as an array, shape (2 × pairs, follow-ups).

    Each pair has a row for `a`, then one for `b`.
    """
    import numpy as np

    return np.array(raw_scores, np.float64).reshape(2 * len(raw_scores), -1)


def _compare_rewards(logps: "NDArray[np.float64]") -> list[Score]:
    """Return one score per pair from log-probabilities with a row per reply."""
    rewards = average_rewards(logps, load_scorer_phrases())
    return [prefer_higher(a, b) for a, b in zip(rewards[::2], rewards[1::2], strict=True)]


def _cut_prompt(pair: Pair, context: ScorerContext) -> list[Message]:
    """Return the newest messages of the prompt.

    They have about `max_prompt_tokens` tokens.
    """
    return keep_newest(pair.prompt, CHARS_PER_TOKEN * context.max_prompt_tokens)
