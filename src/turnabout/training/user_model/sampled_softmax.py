"""Sampled softmax: a model that keeps, while it is trained, the words of its training text and a sample of all others.

The projection to a large vocabulary can be most of a small model's work (63 % of the weights of Gemma 3 270M), for
words that nobody in the log says. Their rows do not move. Yet others say them, so they must keep the probability they
deserve: the normaliser Z is summed exactly over the known words, and for the others over `k` that are drawn anew at
each step, times `n / k` (complementary sum sampling, Botev, Zheng & Barber 2017, AISTATS): right on average.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from turnabout.errors import ModelError
from turnabout.models.chat_format import Encoded
from turnabout.models.logps import projects_last

if TYPE_CHECKING:
    from torch import Tensor


class Narrowed(NamedTuple):
    """What a narrowed model knows, and what was put aside."""

    ids: list[int]
    """The whole vocabulary's ids of the words that are known, ascending; a word's new id is its place."""
    aside: "list[Tensor]"
    """Each tensor of `_by_word`, as it was."""


def narrow(model: Any, windows: Iterable[Encoded], always: Iterable[int]) -> Narrowed:
    """Leave the model, in place, the words of the windows and those in `always`; their new ids are their ranks.

    Raises `ModelError` for a model that changes its logits after their projection.
    """
    if not projects_last(model):
        raise ModelError(
            f"{model.config.model_type} changes its logits after projecting them (soft-capping, scaling), so a sample "
            "of words cannot stand for all; set train_user.sampled_softmax: null"
        )
    ids = sorted({token for window in windows for token in window.input_ids} | set(always))
    whole = [weight.detach().clone() for weight in _by_word(model)]
    for weight in _by_word(model):
        weight.data[: len(ids)] = weight.data[ids]
    model.resize_token_embeddings(len(ids), mean_resizing=False)
    return Narrowed(ids, whole)


@contextmanager
def others_sampled(model: Any, narrowed: Narrowed, k: int) -> Iterator[None]:
    """While this lasts, the model's logits have columns for `k` of the `n` words it does not know.

    They come after the known words', raised by log(n / k); with k >= n they are all there. Others are drawn at each
    pass by torch's generator, so that a training that is resumed draws the same.
    """
    import torch

    output = model.get_output_embeddings()
    projection = narrowed.aside[-1:] if getattr(output, "bias", None) is None else narrowed.aside[-2:]
    unknown = torch.ones(len(projection[0]), dtype=torch.bool)
    unknown[narrowed.ids] = False
    others = unknown.nonzero().flatten()

    def with_others(_: Any, given: "tuple[Tensor]", logits: "Tensor") -> "Tensor":
        drawn = others[torch.randperm(len(others))[:k]]
        found = torch.nn.functional.linear(given[0], *(rows[drawn].to(logits.device) for rows in projection))
        return torch.cat([logits, found + math.log(len(others) / len(drawn))], dim=-1)

    hook = output.register_forward_hook(with_others) if len(others) else nullcontext()
    with hook:
        yield


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
