"""Follow-up likelihood: after which reply praise is likelier, and complaint less (Zhang et al., AAAI 2025)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from turnabout.core.messages import Message
from turnabout.follow_ups import Phrases, load_phrases, phrase_logps, rewards
from turnabout.prompting.excerpts import CHARACTERS, newest
from turnabout.scoring.base import Means, Pair, Reading, Score, larger

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Follow-ups of each sign in every dimension that are read after each reply.
PER_DIMENSION = 2


def read(pairs: Sequence[Pair], means: Means) -> list[Reading]:
    """What the model gives every follow-up after `a`, then after `b`, in nats per token."""
    room = CHARACTERS * means.max_prompt_tokens
    contexts = [_context(pair, reply, room) for pair in pairs for reply in (pair.a, pair.b)]
    intents = None if means.intent is None else [means.intent] * len(contexts)
    found = phrase_logps(means.model, contexts, phrases(), intents)
    return [row.tolist() for row in found.reshape(len(pairs), -1)]


def settle(readings: Sequence[Reading]) -> list[Score]:
    """The reward of both replies, in nats per token; only its difference within a pair means anything."""
    return scores(as_contexts(readings))


def phrases() -> Phrases:
    """The follow-ups that are read."""
    return load_phrases(PER_DIMENSION)


def as_contexts(readings: Sequence[Reading]) -> "NDArray[np.float64]":
    """Readings with a row per reply: shape (2 × pairs, follow-ups), `a` before `b`."""
    import numpy as np

    return np.array(readings, np.float64).reshape(2 * len(readings), -1)


def scores(logps: "NDArray[np.float64]") -> list[Score]:
    """One score per pair from rows as `as_contexts` has them, calibrated or not."""
    flat = rewards(logps, phrases())
    return [larger(a, b) for a, b in zip(flat[::2], flat[1::2], strict=True)]


def _context(pair: Pair, reply: str, room: int) -> list[Message]:
    return [*newest(pair.prompt, room), {"role": "assistant", "content": reply}]
