"""The seam of every scorer: pairs of replies in, a score of each reply and which one is preferred out."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from turnabout.core.messages import Message
from turnabout.generation.base import Generator


class Pair(NamedTuple):
    """Two replies to one prompt, as a line of the file says; `checklist` is what the user wants of a reply."""

    id: str | int
    prompt: list[Message]
    a: str
    b: str
    checklist: tuple[str, ...] = ()


class Score(NamedTuple):
    """What a scorer gives both replies, in its own unit; higher is better.

    `prefer` is null where neither is better, and `reason` says why where the scores do not; both scores are null where
    there are none.
    """

    a: float | None
    b: float | None
    prefer: Literal["a", "b"] | None
    reason: str | None = None


#: What a scorer reads of one pair, as JSON can keep it.
Reading = Sequence[Any]


class Means(NamedTuple):
    """What a scorer works with."""

    model: Generator
    """Speaks as the scorer `needs`; `NOBODY` for one that needs no model."""
    by: Literal["scores", "answers"]
    """Whether the model's probabilities can be read, or only what it writes."""
    max_prompt_tokens: int
    intent: str | None = None
    """What a user model of the pipeline is told first, as it was trained; None for every other model."""


def as_read(readings: Sequence[Reading]) -> list[Score]:
    """Readings that are scores already."""
    return [Score(*reading) for reading in readings]


class Scorer(NamedTuple):
    """A way to score. `needs` is whose turns the model writes, if there is one."""

    needs: Literal["nothing", "assistant", "user"]
    read: Callable[[Sequence[Pair], Means], Sequence[Reading]]
    """One reading per pair, in order: the part that costs, done a chunk of pairs at a time."""
    settle: Callable[[Sequence[Reading]], list[Score]] = as_read
    """The scores, from the readings of all pairs."""
    probabilities: bool = False
    """Whether it reads the model's probabilities and so cannot work with an endpoint that only writes."""
    checklist: bool = False
    """Whether each pair needs a `checklist`."""


def larger(a: float, b: float) -> Score:
    """Both scores, the reply with the larger one preferred."""
    return Score(a, b, None if a == b else "a" if a > b else "b")
