"""Leaving, learnt to the end: the end-of-conversation token's row, fitted once the rest of the model is trained.

Endings are rare, one among hundreds of tokens, so that gradient steps small enough for everything else leave this row
far from where it belongs. With all other weights as they are the training loss is convex in it: the last step of a
training goes to its minimum at once (refitting the last layer: Kirichenko et al. 2023, arXiv 2204.02937).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from turnabout.models.chat_format import Encoded
from turnabout.models.checkpoints import Checkpoint
from turnabout.models.logps import logits_at_once, pad, projects_last, states_before
from turnabout.training.user_model.packing import n_targets
from turnabout.training.user_model.windows import within

if TYPE_CHECKING:
    from torch import Tensor

#: Tokens that are read to fit the row, in windows in which a person leaves and in others.
ENDING_TOKENS, OTHER_TOKENS = 2**15, 2**13

#: Windows read at a time.
BATCH = 4


class Places(NamedTuple):
    """N places where a token is to be foreseen: the state there (N, D), by how much its logit has to beat the other
    tokens' log-sum-exp (N,), whether the person left (N,), and how many places each stands for (N,)."""

    states: NDArray[np.float32]
    others: NDArray[np.float64]
    left: NDArray[np.bool_]
    weights: NDArray[np.float64]


def fit_end_row(checkpoint: Checkpoint, windows: Sequence[Encoded]) -> None:
    """Set the output row of the end-of-conversation token in place (with tied embeddings the input row as well).

    `windows` are what there is to train on, in an order drawn by chance: the first of either kind are read. Nothing is
    done where nobody left, or where the model changes its logits after projecting them.
    """
    token = checkpoint.chat.end_of_conversation_id or 0
    ending = [window for window in windows if token in window.input_ids]
    others = [window for window in windows if token not in window.input_ids]
    if not ending or not projects_last(checkpoint.model):
        return
    read, weights = [], []
    for kind, tokens in ((ending, ENDING_TOKENS), (others, OTHER_TOKENS)):
        part = within(kind, tokens)
        read += part
        weights += [n_targets(kind) / n_targets(part)] * n_targets(part) if part else []
    layer: Any = checkpoint.model.get_output_embeddings()
    scale = layer.weight.detach().float().norm(dim=1).square().mean().item()
    begun = layer.weight[token].detach().float().cpu().numpy().copy()
    row = end_row(_places(checkpoint, read, weights, token), begun, scale)
    layer.weight.data[token] = layer.weight.new_tensor(row)


def end_row(places: Places, begun: NDArray[np.float32], scale: float) -> NDArray[np.float64]:
    """The row, (D,), of highest posterior: −log P of leaving where people left and of not leaving elsewhere.

    The prior is a normal one round the row as it was `begun`, as wide as the vocabulary's rows are: `scale` is their
    mean squared norm.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    states, others, left, weights = places
    penalty = states.shape[1] / scale

    def loss(row: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = states @ row.astype(np.float32) - others
        nats = weights * np.logaddexp(0, np.where(left, -odds, odds))
        slope = (weights * (expit(odds) - left)).astype(np.float32) @ states
        moved = row - begun
        return nats.sum() + penalty / 2 * moved @ moved, slope + penalty * moved

    return minimize(loss, begun.astype(float), jac=True, method="L-BFGS-B", options={"maxiter": 200}).x  # type: ignore[no-any-return]


def _places(checkpoint: Checkpoint, windows: Sequence[Encoded], weights: Sequence[float], token: int) -> Places:
    """Every target of the windows, each with its weight."""
    import torch
    from tqdm import tqdm

    model: Any = checkpoint.model
    model.eval()
    head = model.get_output_embeddings()
    states: list[Tensor] = []
    others: list[Tensor] = []
    left: list[Tensor] = []
    with torch.inference_mode(), tqdm(total=len(windows), desc="where people left", unit="row", disable=None) as bar:
        for start in range(0, len(windows), BATCH):
            batch = pad(windows[start : start + BATCH], model.device)
            before = states_before(model, batch)
            states.append(before.float().cpu())
            others += [_log_of_others(head, part, token) for part in before.split(logits_at_once(model))]
            said = batch.input_ids[:, 1:][batch.is_target[:, 1:]]
            left.append(said.eq(token).cpu())
            bar.update(len(batch.input_ids))
    return Places(
        torch.cat(states).numpy(), torch.cat(others).double().numpy(), torch.cat(left).numpy(), np.array(weights)
    )


def _log_of_others(head: Any, states: "Tensor", token: int) -> "Tensor":
    """The log-sum-exp of the other tokens' logits, (N,), less what an output bias gives the token itself."""
    logits = head(states).float()
    own = 0.0 if getattr(head, "bias", None) is None else head.bias[token].float()
    logits[:, token] = -float("inf")
    return (logits.logsumexp(dim=1) - own).cpu()
