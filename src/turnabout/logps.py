"""Log-probabilities of chosen tokens under a causal language model: the one forward pass of training and scoring."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from turnabout.chat_format import ChatFormat, Encoded
from turnabout.generation.base import Message

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import PreTrainedModel


class TokenBatch(NamedTuple):
    """B sequences padded on the right to T tokens: ids, attention (1 = real) and whether a token is a target."""

    input_ids: "Tensor"
    attention_mask: "Tensor"
    is_target: "Tensor"


def pad(rows: Sequence[Encoded], device: "torch.device | str" = "cpu") -> TokenBatch:
    """Rows as one right-padded batch, each tensor of shape (B, T). Padding is never a target, whatever its id."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    ids = pad_sequence([torch.tensor(row.input_ids) for row in rows], batch_first=True)
    targets = pad_sequence([torch.tensor(row.is_target) for row in rows], batch_first=True)
    attention = pad_sequence([torch.ones(len(row.input_ids), dtype=torch.long) for row in rows], batch_first=True)
    return TokenBatch(ids.to(device), attention.to(device), targets.to(device))


def answers(chat: ChatFormat, prompt: Sequence[Message], completions: Sequence[str], max_length: int) -> list[Encoded]:
    """Each completion after the same prompt, as the assistant's turn; its words and end-of-turn token are the targets.

    The prompt is cut from the left, at a message boundary, so that its longest completion fits into `max_length`
    tokens. Its newest message always stays, so a row may still be longer: what then becomes of it is the caller's.
    """
    encoded = [chat.completion_ids(completion) for completion in completions]
    room = max_length - max(map(len, encoded)) - len(chat.prompt_ids([], "assistant"))
    prompt_ids = chat.prompt_ids(chat.fit(prompt, room), "assistant")
    return [Encoded(prompt_ids + ids, [False] * len(prompt_ids) + [True] * len(ids)) for ids in encoded]


def token_logps(model: "PreTrainedModel", batch: TokenBatch) -> "Tensor":
    """log P(token t | tokens before t) in nats, shape (B, T), float32; zero where a token is not a target.

    The vocabulary projection runs only at positions whose next token is a target, so context costs no logits. That is
    done in front of the model's own projection, so what an architecture does to its logits afterwards (scaling,
    soft-capping) is kept.
    """
    wanted = batch.is_target[:, 1:]

    def keep_wanted(_: "torch.nn.Module", hidden: tuple[Any, ...]) -> "tuple[Tensor]":
        return (hidden[0][:, :-1][wanted],)

    hook = model.get_output_embeddings().register_forward_pre_hook(keep_wanted)
    try:
        out = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False)
    finally:
        hook.remove()
    logits = out.logits.float()
    labels = batch.input_ids[:, 1:][wanted]
    chosen = logits.gather(1, labels[:, None]).squeeze(1) - logits.logsumexp(dim=1)
    logps = chosen.new_zeros(batch.input_ids.shape)
    logps[:, 1:] = logps[:, 1:].masked_scatter(wanted, chosen)
    return logps
