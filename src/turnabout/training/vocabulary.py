"""A model that knows, while it is trained, only the words of its training text.

The projection to a large vocabulary can be most of a small model's work (63 % of the weights of Gemma 3 270M), for
words that nobody in the log says. Their rows do not move, and the loss leaves them out: it is smaller than the whole
model's by −log of the probability on the words that are known. Nothing holds that probability up while the model is
trained, so with few words it comes to foresee others too badly (`python -m benchmarks.seen_words`).
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from turnabout.chat_format import Encoded

if TYPE_CHECKING:
    from torch import Tensor


class Narrowed(NamedTuple):
    """What a narrowed model knows, and what was put aside."""

    ids: list[int]
    """The whole vocabulary's ids of the words that are known, ascending; a word's new id is its place."""
    aside: "list[Tensor]"
    """Each tensor of `_by_word`, as it was."""


def narrow(model: Any, windows: Iterable[Encoded], always: Iterable[int]) -> Narrowed:
    """Leave the model, in place, the words of the windows and those in `always`; their new ids are their ranks."""
    ids = sorted({token for window in windows for token in window.input_ids} | set(always))
    whole = [weight.detach().clone() for weight in _by_word(model)]
    for weight in _by_word(model):
        weight.data[: len(ids)] = weight.data[ids]
    model.resize_token_embeddings(len(ids), mean_resizing=False)
    return Narrowed(ids, whole)


def widen(model: Any, narrowed: Narrowed) -> None:
    """Give the model its whole vocabulary back, in place; words it knew keep what they have learnt."""
    ids, aside = narrowed
    model.resize_token_embeddings(len(aside[0]), mean_resizing=False)
    for weight, whole in zip(_by_word(model), aside, strict=True):
        learnt = weight.data[: len(ids)].clone()
        weight.data.copy_(whole)
        weight.data[ids] = learnt


def renumbered(windows: Sequence[Encoded], narrowed: Narrowed) -> list[Encoded]:
    """Windows as the narrowed model reads them. Raises `KeyError` for a word it does not know."""
    new = {old: place for place, old in enumerate(narrowed.ids)}
    return [window._replace(input_ids=[new[token] for token in window.input_ids]) for window in windows]


def _by_word(model: Any) -> "list[Tensor]":
    """The tensors with a row for each word: embedding, projection, and its bias; one of two that are tied."""
    output = model.get_output_embeddings()
    found = [model.get_input_embeddings().weight, output.weight, getattr(output, "bias", None)]
    return list({id(weight): weight for weight in found if weight is not None}.values())
