"""The reply that the model itself would rather have written."""

from collections.abc import Sequence

from turnabout.generation.base import Scored
from turnabout.prompting.excerpts import CHARACTERS, newest
from turnabout.scoring.base import Means, Pair, Score, larger


def read(pairs: Sequence[Pair], means: Means) -> list[Score]:
    """Mean log-probability of a reply's tokens after the prompt, in nats; a sum would prefer the shorter one."""
    room = CHARACTERS * means.max_prompt_tokens
    prompts = [newest(pair.prompt, room) for pair in pairs]
    found = means.model.score(prompts, [[pair.a, pair.b] for pair in pairs])
    return [larger(_mean(a), _mean(b)) for a, b in found]


def _mean(reply: Scored) -> float:
    return reply.logp / reply.tokens
