"""Sampled softmax: training with a part of the vocabulary.

The part is the tokens of the training text and a sample of all other tokens. The projection to a large vocabulary can
be most of a small model's work (63 % of the weights of Gemma 3 270M), much of it for tokens that are absent from the
log. The embeddings of absent tokens stay frozen. Their probability must still stay realistic, because other texts
contain them: the softmax normaliser Z is summed exactly over the kept tokens, and over `k` of the `n` absent ones,
drawn anew at each step and scaled by `n / k`. This estimate of Z is unbiased (complementary sum sampling, Botev, Zheng
& Barber 2017, AISTATS).
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from turnabout.errors import ModelError
from turnabout.models.chat_format import EncodedChat
from turnabout.models.logps import projects_last

if TYPE_CHECKING:
    from torch import Tensor


class ShrunkVocabulary(NamedTuple):
    """Kept tokens of a shrunk model, and the whole vocabulary's weights."""

    kept_ids: list[int]
    """Ids of the kept tokens in the whole vocabulary, ascending; a token's new id is its index here."""
    full_weights: "list[Tensor]"
    """Copies of the tensors of `_list_vocabulary_weights` before shrinking."""


def shrink_vocabulary(model: Any, windows: Iterable[EncodedChat], always: Iterable[int]) -> ShrunkVocabulary:
    """Shrink the vocabulary in place to the tokens that are needed.

    These are the tokens in `windows` and `always`; their new ids are ranks. Raises `ModelError` for a model that
    changes its logits after their projection.
    """
    if not projects_last(model):
        raise ModelError(
            f"{model.config.model_type} changes its logits after projecting them (soft-capping, scaling), so a sample "
            "of tokens cannot stand for all others; set train_user.sampled_softmax: null"
        )
    tokens = set(always)
    for window in windows:
        tokens.update(window.input_ids)
    kept_ids = sorted(tokens)
    full_weights = [weight.detach().clone() for weight in _list_vocabulary_weights(model)]
    for weight in _list_vocabulary_weights(model):
        weight.data[: len(kept_ids)] = weight.data[kept_ids]
    model.resize_token_embeddings(len(kept_ids), mean_resizing=False)
    return ShrunkVocabulary(kept_ids, full_weights)


@contextmanager
def sample_absent_tokens(model: Any, vocabulary: ShrunkVocabulary, k: int) -> Iterator[None]:
    """Add logits of `k` of the `n` absent tokens to the model's output.

    This is a context manager. Their columns follow those of the kept tokens and are raised by log(n / k); with k >= n
    all absent tokens are there. Each forward pass draws anew, by torch's generator, so that a resumed training draws
    the same tokens.
    """
    import torch

    output = model.get_output_embeddings()
    n_tensors = 1 if getattr(output, "bias", None) is None else 2
    projection = vocabulary.full_weights[-n_tensors:]
    is_absent = torch.ones(len(projection[0]), dtype=torch.bool)
    is_absent[vocabulary.kept_ids] = False
    absent_ids = is_absent.nonzero().flatten()

    def append_sampled_logits(_: Any, inputs: "tuple[Tensor]", logits: "Tensor") -> "Tensor":
        sample = absent_ids[torch.randperm(len(absent_ids))[:k]]
        weights = [tensor[sample].to(logits.device) for tensor in projection]
        sampled_logits = torch.nn.functional.linear(inputs[0], *weights)
        return torch.cat([logits, sampled_logits + math.log(len(absent_ids) / len(sample))], dim=-1)

    hook = output.register_forward_hook(append_sampled_logits) if len(absent_ids) else nullcontext()
    with hook:
        yield


def restore_vocabulary(model: Any, vocabulary: ShrunkVocabulary) -> None:
    """Restore the model's whole vocabulary in place.

    Kept tokens keep their trained weights.
    """
    kept_ids, full_weights = vocabulary
    model.resize_token_embeddings(len(full_weights[0]), mean_resizing=False)
    for weight, full in zip(_list_vocabulary_weights(model), full_weights, strict=True):
        trained = weight.data[: len(kept_ids)].clone()
        weight.data.copy_(full)
        weight.data[kept_ids] = trained


def renumber_tokens(windows: Sequence[EncodedChat], vocabulary: ShrunkVocabulary) -> list[EncodedChat]:
    """Return the windows with the shrunk model's token ids.

    Raises `KeyError` for a token that was not kept.
    """
    new_ids = {old: new for new, old in enumerate(vocabulary.kept_ids)}
    renumbered: list[EncodedChat] = []
    for window in windows:
        input_ids = [new_ids[token] for token in window.input_ids]
        renumbered.append(window._replace(input_ids=input_ids))
    return renumbered


def _list_vocabulary_weights(model: Any) -> "list[Tensor]":
    """Return the tensors that have a row per token.

    These are the input embedding, the output projection and its bias. Of two tied tensors it returns one.
    """
    output = model.get_output_embeddings()
    weights = [model.get_input_embeddings().weight, output.weight, getattr(output, "bias", None)]
    distinct = {id(weight): weight for weight in weights if weight is not None}
    return list(distinct.values())
