"""Log-probabilities of target tokens under a causal language model.

This is the only forward pass of training and scoring.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from turnabout.core.messages import Message
from turnabout.models.chat_format import ChatFormat, EncodedChat

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import PreTrainedModel


#: Maximum number of logits that exist at the same time in a long batch: 268 MB in float32, and about 1 GB with what
#: their gradient needs.
MAX_LOGITS = 2**26

_PROJECTS_LAST: "WeakKeyDictionary[torch.nn.Module, bool]" = WeakKeyDictionary()


class TokenBatch(NamedTuple):
    """B sequences padded on the right to T tokens.

    The tensors have the ids, the attention (1 = real token) and whether each token is a target. Where sequences share a
    row, `position_ids` has the position of each token in its own sequence.
    """

    input_ids: "Tensor"
    attention_mask: "Tensor"
    is_target: "Tensor"
    position_ids: "Tensor | None" = None


def pad_rows(rows: Sequence[EncodedChat], device: "torch.device | str" = "cpu") -> TokenBatch:
    """Return the rows as one right-padded batch, tensors of shape (B, T).

    Padding is never a target, whatever its id.
    """
    import torch
    from torch.nn.utils.rnn import pad_sequence

    ids = pad_sequence([torch.tensor(row.input_ids) for row in rows], batch_first=True)
    targets = pad_sequence([torch.tensor(row.is_target) for row in rows], batch_first=True)
    attention = pad_sequence([torch.ones(len(row.input_ids), dtype=torch.long) for row in rows], batch_first=True)
    return TokenBatch(ids.to(device), attention.to(device), targets.to(device))


def encode_answers(
    chat: ChatFormat, prompt: Sequence[Message], completions: Sequence[str], max_length: int
) -> list[EncodedChat]:
    """Return each completion after the same prompt, as targets.

    The targets are the completion's text and its end-of-turn token. A completion is the assistant's turn. The prompt is
    cut from the left, at a message boundary, so that its longest completion fits into `max_length` tokens. Its newest
    message always stays, so a row may still be longer; the caller decides what to do with it.
    """
    encoded = [chat.encode_completion(completion) for completion in completions]
    max_prompt = max_length - max(map(len, encoded)) - len(chat.encode_prompt([], "assistant"))
    prompt_ids = chat.encode_prompt(chat.keep_newest(prompt, max_prompt), "assistant")
    return [EncodedChat(prompt_ids + ids, [False] * len(prompt_ids) + [True] * len(ids)) for ids in encoded]


def compute_token_logps(model: "PreTrainedModel", batch: TokenBatch) -> "Tensor":
    """Return log P(token t | tokens before t) of the targets, shape (B, T).

    In nats, float32; zero where a token is not a target. The vocabulary projection runs only at positions whose next
    token is a target, so context tokens cost no logits. The positions are selected before the model's own projection,
    so what an architecture does to its logits afterwards (scaling, soft-capping) is kept. Where it does nothing, no
    more than `MAX_LOGITS` logits exist at a time: those of more targets are computed in parts, and computed again for
    their gradient.
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    is_predicted = batch.is_target[:, 1:]
    labels = batch.input_ids[:, 1:][is_predicted]
    head = _unwrap(model).get_output_embeddings()
    max_rows = count_logit_rows(_unwrap(model))
    if len(labels) <= max_rows or not projects_last(_unwrap(model)):
        chosen = _select_logps(_compute_logits(model, batch, lambda hidden: hidden[:, :-1][is_predicted]), labels)
    else:
        parts = zip(compute_target_states(model, batch).split(max_rows), labels.split(max_rows), strict=True)
        projected = [checkpoint(_project, head, *part, use_reentrant=False) for part in parts]
        chosen = torch.cat(projected)
    logps = chosen.new_zeros(batch.input_ids.shape)
    logps[:, 1:] = logps[:, 1:].masked_scatter(is_predicted, chosen)
    return logps


def compute_target_states(model: "PreTrainedModel", batch: TokenBatch) -> "Tensor":
    """Return the hidden states, (N, D), that predict the N targets, in order.

    They are the input of the vocabulary projection.
    """
    kept: list[Tensor] = []

    def keep_for_later(hidden: "Tensor") -> "Tensor":
        """Record the states of the targets, and project none of them."""
        kept.append(hidden[:, :-1][batch.is_target[:, 1:]])
        return kept[0][:0]

    _compute_logits(model, batch, keep_for_later)
    return kept[0]


def count_logit_rows(model: "PreTrainedModel") -> int:
    """Return how many rows of logits may exist at the same time."""
    return max(1, MAX_LOGITS // model.config.get_text_config().vocab_size)


def _compute_logits(model: "PreTrainedModel", batch: TokenBatch, keep: "Callable[[Tensor], Tensor]") -> "Tensor":
    """Return the logits, (N, V), of N selected hidden states.

    `keep` selects them from all hidden states, (B, T, D).
    """
    # No mask: padding is on the right, where no real token attends to it, and attention without a mask is cheaper.
    positions = {} if batch.position_ids is None else {"position_ids": batch.position_ids}
    head = _unwrap(model).get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda _, hidden: (keep(hidden[0]),))
    try:
        return model(input_ids=batch.input_ids, use_cache=False, **positions).logits  # type: ignore[no-any-return]
    finally:
        hook.remove()


def _project(head: "torch.nn.Module", hidden: "Tensor", labels: "Tensor") -> "Tensor":
    return _select_logps(head(hidden), labels)


def _select_logps(logits: "Tensor", labels: "Tensor") -> "Tensor":
    """Return the log-softmax of each label, (N,), in float32."""
    logits = logits.float()
    return logits.gather(1, labels[:, None]).squeeze(1) - logits.logsumexp(dim=1)


def projects_last(model: "torch.nn.Module") -> bool:
    """Return whether the model's logits are exactly its projection's output.

    Tested once per model, on two tokens.
    """
    import torch

    if model not in _PROJECTS_LAST:
        whole: Any = model
        projections: list[Tensor] = []
        hook = whole.get_output_embeddings().register_forward_hook(lambda *call: projections.append(call[2]))
        try:
            with torch.no_grad():
                # Two tokens, because the first may be the padding token, whose states and logits can all be 0.
                two = torch.arange(2, device=whole.device)[None]
                logits = whole(input_ids=two, use_cache=False).logits
        finally:
            hook.remove()
        _PROJECTS_LAST[model] = torch.equal(projections[0].float(), logits.float())
    return _PROJECTS_LAST[model]


def _unwrap(model: Any) -> Any:
    """Return the model inside `DistributedDataParallel`, if it is wrapped."""
    return getattr(model, "module", model)
