"""Cost estimates of the stages that use language models.

They are computed from `params.yaml` alone. A call is one answered prompt, or one text read for scoring or training (a
reply with all its follow-ups is one text). Calls are an upper bound: there are fewer if logs are short, conversations
end early or gates stop early. Tokens are approximate: the calls times the lengths of `params.yaml`. Most texts are
shorter; templates and instructions are not included. Money is the tokens at the price of the model that is called, if
it has one.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from turnabout.augment import Augmenter
from turnabout.feedback.base import ModelMiner
from turnabout.generation.budget import Budget, Usage
from turnabout.generation.config import ModelConfig
from turnabout.intents.questions import TOKEN_FACTOR
from turnabout.intents.writing import Intend
from turnabout.params import Params
from turnabout.training.user_model.end_token import ENDING_TOKENS, OTHER_TOKENS

Number = TypeVar("Number", int, float)


class CostEstimate(NamedTuple):
    """Maximum model calls of one stage, with their tokens and price.

    A number is None where it depends on the logs (a null in `params.yaml`).
    """

    calls: int | None
    input_tokens: int | None
    """Includes tokens that are read for scoring and training."""
    output_tokens: int | None
    money: float | None = 0.0
    """Cost of the calls of models with a price, in the price's currency."""
    budget: Budget | None = None
    """Limits on what the stage's model may spend."""

    def add(self, other: "CostEstimate") -> "CostEstimate":
        """Return the sum of both, with the first budget that is not None."""
        return CostEstimate(
            calls=_add(self.calls, other.calls),
            input_tokens=_add(self.input_tokens, other.input_tokens),
            output_tokens=_add(self.output_tokens, other.output_tokens),
            money=_add(self.money, other.money),
            budget=self.budget or other.budget,
        )


NO_COST = CostEstimate(0, 0, 0)
UNBOUNDED = CostEstimate(None, None, None)


def estimate_cost(params: Params, stage: str) -> CostEstimate:
    """Estimate the cost of a stage (`build_pairs@drift`).

    It is zero for a stage that uses no model.
    """
    base, _, arm = stage.partition("@")
    return FORMULAS[base](params, arm) if base in FORMULAS else NO_COST


def _estimate_mine(params: Params, _: str) -> CostEstimate:
    """Estimate one call per exchange of the log, if a miner uses a model."""
    if not any(isinstance(miner, ModelMiner) for miner in params.mine.miners):
        return NO_COST
    return _price_calls(params.mine.generator, None, input_tokens=0, output_tokens=0)


def _estimate_intend(params: Params, _: str) -> CostEstimate:
    """Estimate one intent per conversation of the sample."""
    sample = params.intend.conversations
    return _estimate_intents(params.intend, _add(sample.train, _add(sample.validation, sample.test)))


def _estimate_intents(section: Intend, n_conversations: int | None) -> CostEstimate:
    """Estimate one intent per conversation, requested up to `tries` times.

    The detail of the intents scales the token limits; the detail `none` uses no model.
    """
    if section.detail == "none":
        return NO_COST
    calls = None if n_conversations is None else section.tries * n_conversations
    factor = TOKEN_FACTOR[section.detail]
    return _price_calls(
        section.generator,
        calls,
        input_tokens=factor * section.max_prompt_tokens,
        output_tokens=factor * section.max_new_tokens,
    )


def _estimate_augment(params: Params, _: str) -> CostEstimate:
    """Estimate the calls of each augmenter for each criticised reply.

    There are at most `max_replies` of them in each of two splits. Fixed calls of each augmenter are added.
    """
    section = params.augment
    n_replies = None if section.max_replies is None else section.max_replies * 2
    total = NO_COST
    for augmenter in section.augmenters:
        output_tokens = augmenter.max_answer_tokens(section.max_new_tokens)
        for model, calls in _calls_by_model(augmenter, section.generator):
            if calls:
                all_calls = None if n_replies is None else n_replies * calls
                cost = _price_calls(
                    model, all_calls, input_tokens=section.max_prompt_tokens, output_tokens=output_tokens
                )
                total = total.add(cost)
    for augmenter in section.augmenters:
        fixed_cost = _price_calls(
            section.generator,
            augmenter.max_fixed_calls(),
            input_tokens=section.max_prompt_tokens,
            output_tokens=augmenter.max_answer_tokens(section.max_new_tokens),
        )
        total = total.add(fixed_cost)
    return total


def _calls_by_model(augmenter: Augmenter, stage_model: ModelConfig) -> list[tuple[ModelConfig, int]]:
    """Return the models that an augmenter calls, with their calls for one reply."""
    by_other_models = augmenter.calls_by_other_models()
    n_other = sum(calls for _, calls in by_other_models)
    return [*by_other_models, (stage_model, augmenter.calls_per_reply() - n_other)]


def _estimate_train_user(params: Params, _: str) -> CostEstimate:
    """Estimate the tokens of all epochs, and those that fit the end token.

    An epoch has `max_tokens`. The number of sequences with these tokens depends on the logs.
    """
    section = params.train_user
    fitted = ENDING_TOKENS + OTHER_TOKENS
    input_tokens = None if section.max_tokens is None else section.epochs * section.max_tokens + fitted
    return CostEstimate(calls=None, input_tokens=input_tokens, output_tokens=0)


def _estimate_ablate(params: Params, arm: str) -> CostEstimate:
    """Estimate an arm's intents for training and evaluation, and its training.

    The number of training sequences depends on the logs. Arms with the same intents share them through the answer
    store, so that only the first arm pays for them.
    """
    sample, detail = params.ablate.conversations, params.user_arms[arm].detail
    held_out = _add(sample.validation, sample.test)
    n_conversations = {"high_level": held_out, detail: held_out}
    n_conversations[detail] = _add(sample.train, n_conversations[detail])
    total = UNBOUNDED._replace(output_tokens=0)
    for intent_detail, n in n_conversations.items():
        total = total.add(_estimate_intents(params.intend.model_copy(update={"detail": intent_detail}), n))
    return total


def _estimate_build_pairs(params: Params, arm: str) -> CostEstimate:
    """Estimate the rule's replies, their scoring, and its questions to a judge.

    A reply is scored once if the rule reads a model. A judge reads the prompt and two replies, and answers at most in
    the length of a reply. Quality measures that need the policy read both sides of every pair once.
    """
    section, rule = params.build_pairs, params.arms[arm].pairs
    prompt_tokens, reply_tokens, n_replies = section.max_prompt_tokens, section.max_new_tokens, rule.max_replies()
    n_scored = n_replies if rule.reads.startswith("models/") else 0
    total = _multiply_calls(n_replies, prompt_tokens, reply_tokens)
    total = total.add(_multiply_calls(n_scored, prompt_tokens + reply_tokens, 0))
    judge_cost = _price_calls(
        section.judge,
        rule.max_judgements(),
        input_tokens=prompt_tokens + 2 * reply_tokens,
        output_tokens=reply_tokens,
    )
    total = total.add(judge_cost)
    if section.quality.reads_policy:
        n_pairs = _max_pairs(params, arm)
        n_sides = None if n_pairs is None else 2 * n_pairs
        total = total.add(_multiply_calls(n_sides, prompt_tokens + reply_tokens, 0))
    return total


def _estimate_train_assistant(params: Params, arm: str) -> CostEstimate:
    """Estimate both sides of every pair in every epoch, and the gate's passes.

    The gate trains on its pairs, and reads them after each pass over them. A loss with a reference model reads all
    pairs once more.
    """
    section, train, n_pairs = params.train_assistant, params.arms[arm].train, _max_pairs(params, arm)
    if n_pairs is None:
        return UNBOUNDED
    n_gate_pairs = min(section.gate_pairs, n_pairs)
    # A pass over the gate's pairs takes at least one step.
    gate = section.gate_steps * (min(section.batch_size, n_gate_pairs) + n_gate_pairs)
    reference = n_pairs + n_gate_pairs if train.loss.needs_reference else 0
    return _multiply_calls(2 * (train.epochs * n_pairs + gate + reference), section.max_length, 0)


def _estimate_train_reward(params: Params, arm: str) -> CostEstimate:
    """Estimate both sides of every pair, once."""
    n_pairs = _max_pairs(params, arm)
    return _multiply_calls(None if n_pairs is None else 2 * n_pairs, params.train_reward.max_length, 0)


def _estimate_simulate(params: Params, _: str) -> CostEstimate:
    """Estimate both sides of every exchange.

    A user message with a fault is sampled again up to `max_resamples` times.
    """
    section = params.simulate
    n_exchanges = section.conversations * section.max_exchanges
    user_calls = 1 + section.max_resamples
    return CostEstimate(
        calls=n_exchanges * (user_calls + 1),
        input_tokens=n_exchanges * (user_calls + 1) * section.max_prompt_tokens,
        output_tokens=n_exchanges * (user_calls * section.user_tokens + section.assistant_tokens),
    )


def _estimate_evaluate(params: Params, _: str) -> CostEstimate:
    """Estimate every pass over held-out people.

    - The user model, the backbone as a user and the backbone prompted to act as a user read the test conversations
      with and without intent.
    - The first and the last of them also read test and validation conversations for termination, write a first message
      per context, and answer the items of both adherences.
    - The backbone acts as the people whom the naturalness detector is trained on.
    - Every assistant answers every context; three scorers (user model, backbone, reward heads) read each answer; every
      assistant ranks both sides of every arm's pairs.
    """
    section, n_assistants = params.evaluate, len(params.arms) + 1
    read, read_endings = 3 * 2 * section.conversations, 2 * 2 * section.conversations
    written = (2 + n_assistants) * section.contexts + 2 * 2 * section.items + section.detector
    scored = 3 * n_assistants * section.contexts
    ranked = 0
    for arm in params.arms:
        n_pairs = _max_pairs(params, arm)
        if n_pairs is None:
            return UNBOUNDED
        ranked += n_assistants * 2 * n_pairs
    other_calls = read + written + scored + ranked
    input_tokens = other_calls * section.max_length + read_endings * section.ending_length
    return CostEstimate(
        calls=other_calls + read_endings,
        input_tokens=input_tokens + scored * section.max_new_tokens,
        output_tokens=written * section.max_new_tokens,
    )


def _max_pairs(params: Params, arm: str) -> int | None:
    """Return the maximum number of pairs of an arm, as its rule states."""
    return params.arms[arm].pairs.max_candidates()


def _price_calls(model: ModelConfig, calls: int | None, *, input_tokens: int, output_tokens: int) -> CostEstimate:
    """Return the cost of calls at the model's price, with tokens per call."""
    cost = _multiply_calls(calls, input_tokens, output_tokens)._replace(budget=model.get_budget())
    price = model.get_price()
    if price is None or calls == 0:
        return cost
    if calls is None:
        return cost._replace(money=None)
    usage = Usage(calls, input_tokens=calls * input_tokens, output_tokens=calls * output_tokens)
    return cost._replace(money=price.cost_of(usage))


def _add(one: Number | None, other: Number | None) -> Number | None:
    """Return the sum, or None if a number is unknown."""
    return None if one is None or other is None else one + other


def _multiply_calls(calls: int | None, input_tokens: int, output_tokens: int) -> CostEstimate:
    """Return the cost of calls with so many tokens each, without a price."""
    if calls is None:
        return UNBOUNDED
    return CostEstimate(calls=calls, input_tokens=calls * input_tokens, output_tokens=calls * output_tokens)


FORMULAS: dict[str, Callable[[Params, str], CostEstimate]] = {
    "mine": _estimate_mine,
    "intend": _estimate_intend,
    "augment": _estimate_augment,
    "train_user": _estimate_train_user,
    "ablate": _estimate_ablate,
    "build_pairs": _estimate_build_pairs,
    "train_assistant": _estimate_train_assistant,
    "train_reward": _estimate_train_reward,
    "simulate": _estimate_simulate,
    "simulate_untrained": _estimate_simulate,
    "evaluate": _estimate_evaluate,
}
