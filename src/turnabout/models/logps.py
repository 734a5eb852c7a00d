"""Log-probabilities of chosen tokens under a causal language model: the one forward pass of training and scoring."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from turnabout.core.messages import Message
from turnabout.models.chat_format import ChatFormat, EncodedChat

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import PreTrainedModel


#: Logits that exist at once in a long batch: 268 MB in float32, and about 1 GB with what their gradient takes.
LOGITS_AT_ONCE = 2**26

_KNOWN_TO_PROJECT_LAST: "WeakKeyDictionary[torch.nn.Module, bool]" = WeakKeyDictionary()


class TokenBatch(NamedTuple):
    """B sequences padded on the right to T tokens: ids, attention (1 = real) and whether a token is a target.

    Where sequences share a row, `position_ids` says where each token stands in its own.
    """

    input_ids: "Tensor"
    attention_mask: "Tensor"
    is_target: "Tensor"
    position_ids: "Tensor | None" = None


def pad_rows(rows: Sequence[EncodedChat], device: "torch.device | str" = "cpu") -> TokenBatch:
    """Rows as one right-padded batch, each tensor of shape (B, T). Padding is never a target, whatever its id."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    ids = pad_sequence([torch.tensor(row.input_ids) for row in rows], batch_first=True)
    targets = pad_sequence([torch.tensor(row.is_target) for row in rows], batch_first=True)
    attention = pad_sequence([torch.ones(len(row.input_ids), dtype=torch.long) for row in rows], batch_first=True)
    return TokenBatch(ids.to(device), attention.to(device), targets.to(device))


def encode_answers(chat: ChatFormat, prompt: Sequence[Message], completions: Sequence[str], max_length: int) -> list[EncodedChat]:
    """Each completion after the same prompt, as the assistant's turn; its words and end-of-turn token are the targets.

    The prompt is cut from the left, at a message boundary, so that its longest completion fits into `max_length`
    tokens. Its newest message always stays, so a row may still be longer: what then becomes of it is the caller's.
    """
    encoded = [chat.encode_completion(completion) for completion in completions]
    room = max_length - max(map(len, encoded)) - len(chat.encode_prompt([], "assistant"))
    prompt_ids = chat.encode_prompt(chat.keep_newest(prompt, room), "assistant")
    return [EncodedChat(prompt_ids + ids, [False] * len(prompt_ids) + [True] * len(ids)) for ids in encoded]


def compute_token_logps(model: "PreTrainedModel", batch: TokenBatch) -> "Tensor":
    """log P(token t | tokens before t) in nats, shape (B, T), float32; zero where a token is not a target.

    The vocabulary projection runs only at positions whose next token is a target, so context costs no logits. That is
    done in front of the model's own projection, so what an architecture does to its logits afterwards (scaling,
    soft-capping) is kept. Where it does nothing, no more than `LOGITS_AT_ONCE` logits exist at a time: those of more
    targets are computed a part after the other, and once more for their gradient.
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    wanted = batch.is_target[:, 1:]
    labels = batch.input_ids[:, 1:][wanted]
    head = _unwrapped(model).get_output_embeddings()
    at_once = count_logit_rows(_unwrapped(model))
    if len(labels) <= at_once or not projects_last(_unwrapped(model)):
        chosen = _chosen(_logits(model, batch, lambda hidden: hidden[:, :-1][wanted]), labels)
    else:
        parts = zip(compute_target_states(model, batch).split(at_once), labels.split(at_once), strict=True)
        projected = [checkpoint(_projected, head, *part, use_reentrant=False) for part in parts]
        chosen = torch.cat(projected)
    logps = chosen.new_zeros(batch.input_ids.shape)
    logps[:, 1:] = logps[:, 1:].masked_scatter(wanted, chosen)
    return logps


def compute_target_states(model: "PreTrainedModel", batch: TokenBatch) -> "Tensor":
    """The hidden states, (N, D), that the vocabulary projection would read in front of the N targets, in order."""
    kept: list[Tensor] = []

    def keep_for_later(hidden: "Tensor") -> "Tensor":
        kept.append(hidden[:, :-1][batch.is_target[:, 1:]])
        return kept[0][:0]

    _logits(model, batch, keep_for_later)
    return kept[0]


def count_logit_rows(model: "PreTrainedModel") -> int:
    """How many rows of logits over the model's vocabulary are held at a time."""
    return max(1, LOGITS_AT_ONCE // model.config.get_text_config().vocab_size)


def _logits(model: "PreTrainedModel", batch: TokenBatch, keep: "Callable[[Tensor], Tensor]") -> "Tensor":
    """The model's logits, (N, V), of the N hidden states that `keep` makes of all of them, (B, T, D)."""
    # No mask: padding stands on the right, where no token that counts sees it, and without one attention is cheaper.
    place = {} if batch.position_ids is None else {"position_ids": batch.position_ids}
    head = _unwrapped(model).get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda _, hidden: (keep(hidden[0]),))
    try:
        return model(input_ids=batch.input_ids, use_cache=False, **place).logits  # type: ignore[no-any-return]
    finally:
        hook.remove()


def _projected(head: "torch.nn.Module", hidden: "Tensor", labels: "Tensor") -> "Tensor":
    return _chosen(head(hidden), labels)


def _chosen(logits: "Tensor", labels: "Tensor") -> "Tensor":
    """The log-softmax of each label, (N,), in float32."""
    logits = logits.float()
    return logits.gather(1, labels[:, None]).squeeze(1) - logits.logsumexp(dim=1)


def projects_last(model: "torch.nn.Module") -> bool:
    """Whether the model's logits are its projection's output as it is; tried once per model, on two tokens."""
    import torch

    if model not in _KNOWN_TO_PROJECT_LAST:
        whole: Any = model
        given: list[Tensor] = []
        hook = whole.get_output_embeddings().register_forward_hook(lambda *call: given.append(call[2]))
        try:
            with torch.no_grad():
                # Two tokens, for the first may be the padding, whose states and logits can all be 0.
                two = torch.arange(2, device=whole.device)[None]
                logits = whole(input_ids=two, use_cache=False).logits
        finally:
            hook.remove()
        _KNOWN_TO_PROJECT_LAST[model] = torch.equal(given[0].float(), logits.float())
    return _KNOWN_TO_PROJECT_LAST[model]


def _unwrapped(model: Any) -> Any:
    """The model itself, where processes share it (`DistributedDataParallel`)."""
    return getattr(model, "module", model)
