"""Follow-up Likelihood as Reward: how much likelier a satisfied than a dissatisfied follow-up is after a reply.

Zhang et al., AAAI 2025: r(x, y) = mean over f in F⁺ of ℓ(f | x, y) − mean over f in F⁻ of ℓ(f | x, y), where ℓ is the
mean log-probability of the tokens of f as the user's next turn. The released code averages the raw logits of one
position instead, which is no likelihood: logits have an arbitrary offset, and one position cannot see the words before.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from turnabout.core.messages import Message
from turnabout.follow_ups.phrases import Phrases
from turnabout.generation.base import Generator

if TYPE_CHECKING:
    from numpy.typing import NDArray


def follow_up_likelihood(
    user: Generator, contexts: Sequence[Sequence[Message]], phrases: Phrases, intents: Sequence[str] | None = None
) -> list[float]:
    """One reward per context, in nats per token; see `phrase_logps` for what is asked.

    Only differences between replies to one prompt mean anything: politeness alone makes praise likelier, and that part
    cancels.
    """
    return rewards(phrase_logps(user, contexts, phrases, intents), phrases)


def phrase_logps(
    user: Generator, contexts: Sequence[Sequence[Message]], phrases: Phrases, intents: Sequence[str] | None = None
) -> "NDArray[np.float64]":
    """ℓ(f | x, y) in nats per token, shape (contexts, follow-ups), the positive follow-ups first.

    `user` speaks as the user, each context ends with the assistant's reply, and a follow-up's tokens are its words and
    the end of its turn. With `intents`, each context begins with the person's intent as system message, as the user
    model was trained.
    """
    heads: list[list[Message]] = (
        [[] for _ in contexts] if intents is None else [[{"role": "system", "content": i}] for i in intents]
    )
    prompts = [[*head, *context] for head, context in zip(heads, contexts, strict=True)]
    turns = [*phrases.positive, *phrases.negative]
    found = user.score(prompts, [turns] * len(prompts))
    per_token = [[scored.logp / scored.tokens for scored in of_context] for of_context in found]
    return np.array(per_token, np.float64).reshape(len(prompts), len(turns))


def rewards(logps: "NDArray[np.float64]", phrases: Phrases) -> list[float]:
    """r(x, y) of each context from what its follow-ups are given, calibrated or not."""
    n_positive = len(phrases.positive)
    return [float(row[:n_positive].mean() - row[n_positive:].mean()) for row in logps]
