"""Fit of the end-of-conversation token's output embedding.

It follows the training of the rest of the model. Endings are rare, one among hundreds of tokens, so gradient steps that
are small enough for everything else leave this row far from its optimum. With all other weights frozen the training
loss is convex in the row, so the training ends by minimising it (refitting the last layer: Kirichenko et al. 2023,
arXiv 2204.02937).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from turnabout.models.chat_format import EncodedChat
from turnabout.models.checkpoints import Checkpoint
from turnabout.models.logps import compute_target_states, count_logit_rows, pad_rows, projects_last
from turnabout.training.user_model.packing import count_targets
from turnabout.training.user_model.windows import take_windows

if TYPE_CHECKING:
    from torch import Tensor

#: Maximum number of tokens the row is fitted to: in windows with an end of conversation, and in windows without.
ENDING_TOKENS, OTHER_TOKENS = 2**15, 2**13

#: Windows read at a time.
BATCH = 4


class EndTokenData(NamedTuple):
    """N target positions as data of a logistic regression.

    At each of them the next token is a target.
    """

    states: NDArray[np.float32]
    """Hidden states, (N, D)."""
    other_logits: NDArray[np.float64]
    """Log-sum-exp of the other tokens' logits, (N,); the end token's logit has to exceed it."""
    is_end: NDArray[np.bool_]
    """Whether the person ended the conversation there, (N,)."""
    weights: NDArray[np.float64]
    """Number of positions that each one stands for, (N,)."""


def fit_end_token(checkpoint: Checkpoint, windows: Sequence[EncodedChat]) -> None:
    """Fit the end-of-conversation token's output embedding in place.

    The fit is a logistic regression. All other weights stay frozen; with tied embeddings the token's input row changes
    as well. `windows` are all training windows in random order; the first of each kind, with and without an ending, are
    read. The row stays as it is if no window has an ending, or if the model changes its logits after projecting them.
    """
    token = checkpoint.chat.end_of_conversation_id or 0
    with_ending = [window for window in windows if token in window.input_ids]
    without_ending = [window for window in windows if token not in window.input_ids]
    if not with_ending or not projects_last(checkpoint.model):
        return
    sample: list[EncodedChat] = []
    weights: list[float] = []
    for kind, max_tokens in ((with_ending, ENDING_TOKENS), (without_ending, OTHER_TOKENS)):
        part = take_windows(kind, max_tokens)
        sample += part
        if part:
            weights += [count_targets(kind) / count_targets(part)] * count_targets(part)
    layer: Any = checkpoint.model.get_output_embeddings()
    scale = layer.weight.detach().float().norm(dim=1).square().mean().item()
    initial = layer.weight[token].detach().float().cpu().numpy().copy()
    row = solve_end_row(_collect_data(checkpoint, sample, weights, token), initial, scale)
    layer.weight.data[token] = layer.weight.new_tensor(row)


def solve_end_row(data: EndTokenData, initial: NDArray[np.float32], scale: float) -> NDArray[np.float64]:
    """Return the row, (D,), of maximum posterior probability.

    The loss is −log P of the end token where people ended the conversation, and of any other token elsewhere. The prior
    is a normal distribution around the `initial` row, as wide as the vocabulary's rows are: `scale` is their mean
    squared norm.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    states, other_logits, is_end, weights = data
    penalty = states.shape[1] / scale

    def loss_and_gradient(row: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        log_odds = states @ row.astype(np.float32) - other_logits
        nats = weights * np.logaddexp(0, np.where(is_end, -log_odds, log_odds))
        gradient = (weights * (expit(log_odds) - is_end)).astype(np.float32) @ states
        shift = row - initial
        return nats.sum() + penalty / 2 * shift @ shift, gradient + penalty * shift

    start, options = initial.astype(float), {"maxiter": 200}
    return minimize(loss_and_gradient, start, jac=True, method="L-BFGS-B", options=options).x  # type: ignore[no-any-return]


def _collect_data(
    checkpoint: Checkpoint, windows: Sequence[EncodedChat], weights: Sequence[float], token: int
) -> EndTokenData:
    """Return every target position of the windows, each with its weight."""
    import torch
    from tqdm import tqdm

    model: Any = checkpoint.model
    model.eval()
    head = model.get_output_embeddings()
    states: list[Tensor] = []
    other_logits: list[Tensor] = []
    is_end: list[Tensor] = []
    with torch.inference_mode(), tqdm(total=len(windows), desc="end token", unit="row", disable=None) as bar:
        for start in range(0, len(windows), BATCH):
            batch = pad_rows(windows[start : start + BATCH], model.device)
            before = compute_target_states(model, batch)
            states.append(before.float().cpu())
            for part in before.split(count_logit_rows(model)):
                other_logits.append(_compute_other_logits(head, part, token))
            targets = batch.input_ids[:, 1:][batch.is_target[:, 1:]]
            is_end.append(targets.eq(token).cpu())
            bar.update(len(batch.input_ids))
    return EndTokenData(
        states=torch.cat(states).numpy(),
        other_logits=torch.cat(other_logits).double().numpy(),
        is_end=torch.cat(is_end).numpy(),
        weights=np.array(weights),
    )


def _compute_other_logits(head: Any, states: "Tensor", token: int) -> "Tensor":
    """Return the log-sum-exp of the other tokens' logits, (N,).

    The token's own output bias is subtracted.
    """
    logits = head(states).float()
    own_bias = 0.0 if getattr(head, "bias", None) is None else head.bias[token].float()
    logits[:, token] = -float("inf")
    return (logits.logsumexp(dim=1) - own_bias).cpu()
