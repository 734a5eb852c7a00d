"""What the language-model stages will ask of their models, worked out from `params.yaml` alone.

A call is one prompt answered, or one text read for scoring or training (a reply with all its follow-ups is one text).
Calls are an upper bound: short logs, conversations that end early and gates that stop early make them less. Tokens are
those calls at the lengths of `params.yaml`, about: most texts are shorter, templates and instructions come on top.
Money is those tokens at the price of the author that is asked, where it has one.
"""

from collections.abc import Callable, Iterator
from functools import reduce
from typing import NamedTuple, TypeVar

from turnabout.augment import Augmenter
from turnabout.feedback.base import ModelMiner
from turnabout.generation.budget import Budget, Usage
from turnabout.generation.config import Author
from turnabout.intents.questions import ROOM
from turnabout.intents.writing import Intend
from turnabout.params import Params
from turnabout.training.user_model.end_token import ENDING_TOKENS, OTHER_TOKENS

Number = TypeVar("Number", int, float)


class Effort(NamedTuple):
    """Most model calls of one stage and about their tokens; None where the logs decide (a null in `params.yaml`)."""

    calls: int | None
    read: int | None
    """Input tokens, those read for scoring and training included."""
    written: int | None
    """Output tokens."""
    money: float | None = 0.0
    """What calls cost whose author has a price, in its currency."""
    budget: Budget | None = None
    """What the author of the stage may spend."""

    def plus(self, other: "Effort") -> "Effort":
        """Both together, within the budget of the first that has one."""
        return Effort(
            _sum(self.calls, other.calls),
            _sum(self.read, other.read),
            _sum(self.written, other.written),
            _sum(self.money, other.money),
            self.budget or other.budget,
        )


UNBOUNDED = Effort(None, None, None)


def effort(params: Params, stage: str) -> Effort:
    """The bound for a stage (`build_pairs@drift`); zero for a stage that asks no model."""
    base, _, arm = stage.partition("@")
    return FORMULAS[base](params, arm) if base in FORMULAS else Effort(0, 0, 0)


def _mine(params: Params, _: str) -> Effort:
    """As many calls as there are exchanges, where a miner asks a model."""
    if not any(isinstance(miner, ModelMiner) for miner in params.mine.miners):
        return Effort(0, 0, 0)
    return _asked(params.mine.author, None, 0, 0)


def _intend(params: Params, _: str) -> Effort:
    """One intent per conversation of the sample."""
    wanted = params.intend.conversations
    return _intents(params.intend, _sum(wanted.train, _sum(wanted.validation, wanted.test)))


def _intents(section: Intend, conversations: int | None) -> Effort:
    """One intent each, asked for up to `tries` times, in the room of its detail; `none` asks nobody."""
    if section.detail == "none":
        return Effort(0, 0, 0)
    calls = None if conversations is None else section.tries * conversations
    room = ROOM[section.detail]
    return _asked(section.author, calls, room * section.max_prompt_tokens, room * section.max_new_tokens)


def _augment(params: Params, _: str) -> Effort:
    """Each augmenter's calls on each criticised reply, `max_replies` per split (two); and its calls besides."""
    section = params.augment
    replies = None if section.max_replies is None else section.max_replies * 2
    parts = [
        _asked(author, None if replies is None else replies * calls, section.max_prompt_tokens, longest)
        for augmenter in section.augmenters
        for author, calls, longest in _shares(augmenter, section.author, section.max_new_tokens)
        if calls
    ]
    parts += [
        _asked(section.author, augmenter.calls_besides(), section.max_prompt_tokens, longest)
        for augmenter in section.augmenters
        for longest in [augmenter.longest_answer(section.max_new_tokens)]
    ]
    return reduce(Effort.plus, parts, Effort(0, 0, 0))


def _shares(augmenter: Augmenter, author: Author, longest: int) -> Iterator[tuple[Author, int, int]]:
    """Who answers how many of an augmenter's calls on one reply, and in how many tokens at most."""
    longest = augmenter.longest_answer(longest)
    others = augmenter.calls_of_others()
    yield from ((other, calls, longest) for other, calls in others)
    yield author, augmenter.calls_per_reply() - sum(calls for _, calls in others), longest


def _train_user(params: Params, _: str) -> Effort:
    """Each token of an epoch once: epochs × max_tokens; and those to which the row of leaving is fitted.

    How many sequences hold them, the logs decide.
    """
    section = params.train_user
    fitted = ENDING_TOKENS + OTHER_TOKENS
    return Effort(None, None if section.max_tokens is None else section.epochs * section.max_tokens + fitted, 0)


def _ablate(params: Params, arm: str) -> Effort:
    """The intents an arm is trained with, those it is measured with, and sequences as many as the logs hold.

    Arms that ask for the same intents get them from one store, so only the first of them to run pays.
    """
    wanted, detail = params.ablate.conversations, params.user_arms[arm].detail
    held_out = _sum(wanted.validation, wanted.test)
    numbers = {"high_level": held_out, detail: held_out}
    numbers[detail] = _sum(wanted.train, numbers[detail])
    parts = [_intents(params.intend.model_copy(update={"detail": each}), n) for each, n in numbers.items()]
    return reduce(Effort.plus, parts, UNBOUNDED._replace(written=0))


def _build_pairs(params: Params, arm: str) -> Effort:
    """The rule's own bounds: fresh replies, each read once more where the rule reads a model, and questions to a judge.

    A judge reads the prompt and two replies, and answers at the length of a reply. Measures of quality that need the
    policy read both sides of every pair once.
    """
    section, rule = params.build_pairs, params.arms[arm].pairs
    prompt, reply, replies = section.max_prompt_tokens, section.max_new_tokens, rule.max_replies()
    parts = [
        _times(replies, prompt, reply),
        _times(replies if rule.reads.startswith("models/") else 0, prompt + reply, 0),
        _asked(section.judge, rule.max_judgements(), prompt + 2 * reply, reply),
    ]
    if section.quality.reads_policy:
        pairs = _pairs(params, arm)
        parts.append(_times(None if pairs is None else 2 * pairs, prompt + reply, 0))
    return reduce(Effort.plus, parts)


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
    return _times(2 * (train.epochs * pairs + gate + reference), section.max_length, 0)


def _train_reward(params: Params, arm: str) -> Effort:
    """Both sides of every pair once."""
    pairs = _pairs(params, arm)
    return _times(None if pairs is None else 2 * pairs, params.train_reward.max_length, 0)


def _simulate(params: Params, _: str) -> Effort:
    """Both sides of every exchange; a faulty user message is asked for again up to `max_resamples` times."""
    section = params.simulate
    exchanges = section.conversations * section.max_exchanges
    asked = 1 + section.max_resamples
    read = (asked + 1) * section.max_prompt_tokens
    written = asked * section.user_tokens + section.assistant_tokens
    return Effort(exchanges * (asked + 1), exchanges * read, exchanges * written)


def _evaluate(params: Params, _: str) -> Effort:
    """Every pass over held-out people, by the two models of the user and by every assistant.

    The user model, the backbone as a user and the backbone told to act as one read the test conversations with and
    without intent; the first and the last read test and validation for leaving, open a conversation per context, and
    answer the items of both adherences. The backbone acts the people the detector learns on. Every assistant answers
    every context, and three scorers (user model, backbone, reward heads) read each answer; every assistant ranks both
    sides of every arm's pairs.
    """
    section, assistants = params.evaluate, len(params.arms) + 1
    read, left = 3 * 2 * section.conversations, 2 * 2 * section.conversations
    written = (2 + assistants) * section.contexts + 2 * 2 * section.items + section.detector
    judged = 3 * assistants * section.contexts
    pairs = [_pairs(params, arm) for arm in params.arms]
    if None in pairs:
        return UNBOUNDED
    ranked = assistants * 2 * sum(number for number in pairs if number is not None)
    rest = read + written + judged + ranked
    answers = section.max_new_tokens
    tokens = rest * section.max_length + left * section.ending_length + judged * answers
    return Effort(rest + left, tokens, written * answers)


def _pairs(params: Params, arm: str) -> int | None:
    """Most pairs of an arm, as its rule states."""
    return params.arms[arm].pairs.most_pairs()


def _asked(author: Author, calls: int | None, read: int, written: int) -> Effort:
    """So many calls of an author at these lengths, at its price."""
    work, rates = _times(calls, read, written)._replace(budget=author.allowance()), author.rates()
    if rates is None or calls == 0:
        return work
    return work._replace(money=None if calls is None else rates.of(Usage(calls, calls * read, calls * written)))


def _sum(one: Number | None, other: Number | None) -> Number | None:
    return None if one is None or other is None else one + other


def _times(calls: int | None, read: int, written: int) -> Effort:
    return UNBOUNDED if calls is None else Effort(calls, calls * read, calls * written)


FORMULAS: dict[str, Callable[[Params, str], Effort]] = {
    "mine": _mine,
    "intend": _intend,
    "augment": _augment,
    "train_user": _train_user,
    "ablate": _ablate,
    "build_pairs": _build_pairs,
    "train_assistant": _train_assistant,
    "train_reward": _train_reward,
    "simulate": _simulate,
    "simulate_untrained": _simulate,
    "evaluate": _evaluate,
}
