"""What the language-model stages will ask of their models at most, worked out from `params.yaml` alone.

A call is one prompt answered or one text scored; a token is one read or written. Both are upper bounds: prompts shorter
than their limit, conversations that end early and gates that stop early make them less.
"""

from collections.abc import Callable
from typing import NamedTuple

from turnabout.params import Params


class Effort(NamedTuple):
    """Most model calls and tokens of one stage; None where the logs decide (a limit in `params.yaml` is null)."""

    calls: int | None
    tokens: int | None


UNBOUNDED = Effort(None, None)


def effort(params: Params, stage: str) -> Effort:
    """The bound for a stage (`construct@drift`); zero for a stage that asks no model."""
    base, _, arm = stage.partition("@")
    return FORMULAS[base](params, arm) if base in FORMULAS else Effort(0, 0)


def _intend(params: Params, _: str) -> Effort:
    """One intent per conversation: conversations × (max_prompt_tokens + max_new_tokens)."""
    section = params.intend
    limits = list(section.conversations.model_dump().values())
    conversations = None if None in limits else sum(limit for limit in limits if limit is not None)
    return _times(conversations, section.max_prompt_tokens + section.max_new_tokens)


def _augment(params: Params, _: str) -> Effort:
    """Each augmenter on each criticised reply, `max_replies` per split: train and validation."""
    section = params.augment
    replies = None if section.max_replies is None else section.max_replies * 2 * len(section.augmenters)
    return _times(replies, section.max_prompt_tokens + section.max_new_tokens)


def _train_user(params: Params, _: str) -> Effort:
    """Each token of an epoch once: epochs × max_tokens; a call is a training sequence of max_length."""
    section = params.train_user
    if section.max_tokens is None:
        return UNBOUNDED
    tokens = section.epochs * section.max_tokens
    return Effort(-(-tokens // section.max_length), tokens)


def _construct(params: Params, arm: str) -> Effort:
    """k fresh replies to each prompt, each then scored by the user model where the rule asks for it."""
    section, rule = params.construct, params.arms[arm].construct
    length = section.max_prompt_tokens + section.max_new_tokens
    if rule.rule == "drift":
        replies = None if params.augment.max_replies is None else params.augment.max_replies * 2
        return _times(replies, length)
    prompts, k = getattr(rule, "prompts", None), getattr(rule, "k", 1)
    return UNBOUNDED if prompts is None else _times(prompts * k * 2, length)


def _simulate(params: Params, _: str) -> Effort:
    """Both sides of every exchange; a faulty user message is asked for again up to `max_resamples` times."""
    section = params.simulate
    exchanges = section.conversations * section.max_exchanges
    asked = 1 + section.max_resamples
    tokens = (
        asked * (section.max_prompt_tokens + section.user_tokens) + section.max_prompt_tokens + section.assistant_tokens
    )
    return Effort(exchanges * (asked + 1), exchanges * tokens)


def _evaluate(params: Params, _: str) -> Effort:
    """Held-out conversations scored by two models with and without intent; every assistant answers every context, and
    each answer is scored once."""
    section = params.evaluate
    scored = section.conversations * 4
    answered = section.contexts * (len(params.arms) + 1)
    tokens = (scored + answered) * section.max_length + answered * (section.max_length + section.max_new_tokens)
    return Effort(scored + 2 * answered, tokens)


def _times(calls: int | None, tokens_each: int) -> Effort:
    return UNBOUNDED if calls is None else Effort(calls, calls * tokens_each)


FORMULAS: dict[str, Callable[[Params, str], Effort]] = {
    "intend": _intend,
    "augment": _augment,
    "train_user": _train_user,
    "construct": _construct,
    "simulate": _simulate,
    "simulate_untrained": _simulate,
    "evaluate": _evaluate,
}
