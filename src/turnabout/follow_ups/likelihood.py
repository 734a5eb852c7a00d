"""Follow-up Likelihood as Reward.

The reward is how much likelier a satisfied follow-up is than a dissatisfied one. Zhang et al., AAAI 2025: r(x, y) =
mean over f in F⁺ of ℓ(f | x, y) − mean over f in F⁻ of ℓ(f | x, y), where ℓ is the mean log-probability of the tokens
of f as the user's next turn. The released code averages the raw logits of one position instead, which is no likelihood:
logits have an arbitrary offset, and one position cannot see the tokens before.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from turnabout.core.messages import Message
from turnabout.follow_ups.phrases import Phrases
from turnabout.generation.base import Generator

if TYPE_CHECKING:
    from numpy.typing import NDArray


def compute_follow_up_rewards(
    user: Generator, contexts: Sequence[Sequence[Message]], phrases: Phrases, intents: Sequence[str] | None = None
) -> list[float]:
    """Return one reward per context, in nats per token.

    The arguments are those of `compute_phrase_logps`. Only differences between replies to one prompt are meaningful:
    politeness alone makes praise likelier, and that part cancels.
    """
    return average_rewards(compute_phrase_logps(user, contexts, phrases, intents), phrases)


def compute_phrase_logps(
    user: Generator, contexts: Sequence[Sequence[Message]], phrases: Phrases, intents: Sequence[str] | None = None
) -> "NDArray[np.float64]":
    """Return ℓ(f | x, y) in nats per token, shape (contexts, follow-ups).

    The positive follow-ups come first. `user` speaks as the user, each context ends with the assistant's reply, and the
    tokens of a follow-up include the end of its turn. With `intents`, each context begins with the person's intent as
    system message, which is how the user model was trained.
    """
    prompts: list[list[Message]] = [list(context) for context in contexts]
    if intents is not None:
        prompts = [
            [{"role": "system", "content": intent}, *context] for intent, context in zip(intents, contexts, strict=True)
        ]
    turns = [*phrases.positive, *phrases.negative]
    scores = user.score(prompts, [turns] * len(prompts))
    per_token = []
    for scores_of_context in scores:
        per_token.append([score.logp / score.n_tokens for score in scores_of_context])
    return np.array(per_token, np.float64).reshape(len(prompts), len(turns))


def average_rewards(logps: "NDArray[np.float64]", phrases: Phrases) -> list[float]:
    """Return r(x, y) of each context from its follow-ups' likelihoods.

    The likelihoods may be calibrated.
    """
    n_positive = len(phrases.positive)
    return [float(row[:n_positive].mean() - row[n_positive:].mean()) for row in logps]
