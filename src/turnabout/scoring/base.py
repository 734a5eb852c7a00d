"""Interface of scorers: pairs of replies in; scores and preferences out."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from turnabout.core.messages import Message
from turnabout.generation.base import Generator


class Pair(NamedTuple):
    """Two replies to one prompt, a line of the input file.

    `checklist` holds what the user wants of a reply, one preference per entry.
    """

    id: str | int
    prompt: list[Message]
    a: str
    b: str
    checklist: tuple[str, ...] = ()


class Score(NamedTuple):
    """The scores of both replies, in the scorer's unit; higher is better.

    `prefer` is null where neither reply is better. `reason` then says why, unless the scores show it. Both scores are
    null where they could not be computed.
    """

    a: float | None
    b: float | None
    prefer: Literal["a", "b"] | None
    reason: str | None = None


#: A scorer's result for one pair before all pairs are known, as values that JSON can store.
RawScore = Sequence[Any]


class ScorerContext(NamedTuple):
    """The model and the options that a scorer works with."""

    generator: Generator
    """Speaks as the scorer `needs`; `UNOPENED` for a scorer that needs no model."""
    by: Literal["scores", "answers"]
    """Whether the model's probabilities can be read, or only its answers."""
    max_prompt_tokens: int
    intent: str | None = None
    """System message for a user model of the pipeline, which was trained with one; None for every other model."""


def unpack_scores(raw_scores: Sequence[RawScore]) -> list[Score]:
    """Return raw scores that are scores already as `Score`."""
    return [Score(*raw_score) for raw_score in raw_scores]


class Scorer(NamedTuple):
    """A scoring method in two steps."""

    needs: Literal["nothing", "assistant", "user"]
    """The role whose turns the model writes, or nothing where no model is needed."""
    score_chunk: Callable[[Sequence[Pair], ScorerContext], Sequence[RawScore]]
    """Returns one raw score per pair of a chunk, in order; this is the expensive step."""
    finalize: Callable[[Sequence[RawScore]], list[Score]] = unpack_scores
    """Returns the scores from the raw scores of all pairs."""
    needs_probabilities: bool = False
    """Whether it reads the model's probabilities and so cannot work with an endpoint that only writes."""
    needs_checklist: bool = False
    """Whether each pair needs a `checklist`."""


def prefer_higher(a: float, b: float) -> Score:
    """Return both scores and prefer the reply with the higher one."""
    return Score(a=a, b=b, prefer=None if a == b else "a" if a > b else "b")
