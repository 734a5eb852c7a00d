"""Log-probabilities of chosen tokens under a causal language model: the one forward pass of training and scoring."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from turnabout.chat_format import Encoded

if TYPE_CHECKING:
    import torch
    from torch import Tensor


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


def token_logps(model: "torch.nn.Module", batch: TokenBatch) -> "Tensor":
    """log P(token t | tokens before t) in nats, shape (B, T), float32; zero where a token is not a target.

    The vocabulary projection runs only at positions whose next token is a target, so context costs no logits.
    """
    import torch

    inner = model.get_base_model() if hasattr(model, "peft_config") else model
    hidden = inner.base_model(
        input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False
    ).last_hidden_state[:, :-1]
    wanted = batch.is_target[:, 1:]
    logits = inner.get_output_embeddings()(hidden[wanted]).float()
    if softcap := getattr(inner.config, "final_logit_softcapping", None):
        logits = torch.tanh(logits / softcap) * softcap
    labels = batch.input_ids[:, 1:][wanted]
    logps = logits.gather(1, labels[:, None]).squeeze(1) - logits.logsumexp(dim=1)
    out = logps.new_zeros(batch.input_ids.shape)
    out[:, 1:] = out[:, 1:].masked_scatter(wanted, logps)
    return out
