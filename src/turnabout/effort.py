"""What the language-model stages will ask of their models, worked out from `params.yaml` alone.

A call is one prompt answered, or one text read for scoring or training (a reply with all its follow-ups is one text).
Calls are an upper bound: short logs, conversations that end early and gates that stop early make them less. Tokens are
those calls at the lengths of `params.yaml`, about: most texts are shorter, templates and instructions come on top.
"""

from collections.abc import Callable
from typing import NamedTuple

from turnabout.params import Params


class Effort(NamedTuple):
    """Most model calls of one stage and about their tokens; None where the logs decide (a null in `params.yaml`)."""

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
    """Each token of an epoch once: epochs × max_tokens. How many sequences hold them, the logs decide."""
    section = params.train_user
    return Effort(None, None if section.max_tokens is None else section.epochs * section.max_tokens)


def _construct(params: Params, arm: str) -> Effort:
    """The rule's own bound of fresh replies, each scored once more where the rule reads a model."""
    section, rule = params.construct, params.arms[arm].construct
    replies = rule.max_replies()
    passes = 2 if rule.reads.startswith("models/") else 1
    return _times(None if replies is None else replies * passes, section.max_prompt_tokens + section.max_new_tokens)


def _train_assistant(params: Params, arm: str) -> Effort:
    """Both sides of every pair in every epoch, and of the gate's pairs in its steps and after each pass over them.

    A loss with a reference reads all of them once more.
    """
    section, train, pairs = params.train_assistant, params.arms[arm].train, _pairs(params, arm)
    if pairs is None:
        return UNBOUNDED
    few = min(section.gate_pairs, pairs)
    gate = section.gate_steps * (min(section.batch_size, few) + few)  # a pass takes at least one step
    reference = pairs + few if train.loss.needs_reference else 0
    return _times(2 * (train.epochs * pairs + gate + reference), section.max_length)


def _train_reward(params: Params, arm: str) -> Effort:
    """Both sides of every pair once."""
    pairs = _pairs(params, arm)
    return _times(None if pairs is None else 2 * pairs, params.train_reward.max_length)


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
    """Every pass over held-out people, by the two models of the user and by every assistant.

    Each user model reads the test conversations with and without intent, reads test and validation for leaving, and
    opens a conversation per context. Every assistant answers every context, and three scorers (user model, backbone,
    reward heads) read each answer; every assistant ranks both sides of every arm's pairs.
    """
    section, assistants = params.evaluate, len(params.arms) + 1
    read = 2 * 4 * section.conversations
    written = (2 + assistants) * section.contexts
    judged = 3 * assistants * section.contexts
    pairs = [_pairs(params, arm) for arm in params.arms]
    if None in pairs:
        return UNBOUNDED
    ranked = assistants * 2 * sum(number for number in pairs if number is not None)
    calls = read + written + judged + ranked
    return Effort(calls, calls * section.max_length + (written + judged) * section.max_new_tokens)


def _pairs(params: Params, arm: str) -> int | None:
    """Most pairs of an arm: each takes at least one fresh reply. A rule that asks for none takes them from the logs."""
    return params.arms[arm].construct.max_replies() or None


def _times(calls: int | None, tokens_each: int) -> Effort:
    return UNBOUNDED if calls is None else Effort(calls, calls * tokens_each)


FORMULAS: dict[str, Callable[[Params, str], Effort]] = {
    "intend": _intend,
    "augment": _augment,
    "train_user": _train_user,
    "construct": _construct,
    "train_assistant": _train_assistant,
    "train_reward": _train_reward,
    "simulate": _simulate,
    "simulate_untrained": _simulate,
    "evaluate": _evaluate,
}
