"""Packing: several windows in one row, without padding.

Each window attends to itself alone. Attention stays inside a window because positions restart at 0 in each;
transformers builds the mask from that.
"""

import random
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from turnabout.errors import ModelError
from turnabout.models.chat_format import EncodedChat
from turnabout.models.logps import TokenBatch, compute_token_logps, pad_rows

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

#: One row: windows one after another.
PackedRow = tuple[EncodedChat, ...]

#: Tokens of each window that the check reads, and the largest difference of log-probabilities (nats) due to rounding.
_PROBE_TOKENS, _TOLERANCE = 16, 1e-3


def pack_windows(windows: Sequence[EncodedChat], max_length: int, seed: int) -> list[PackedRow]:
    """Return all windows in rows of at most `max_length` tokens.

    A longer window has its own row. Best fit decreasing: the longest window first, each into the fullest row it fits
    into. Among windows of one length the seed draws the order.
    """
    shuffled = random.Random(seed).sample(windows, len(windows))
    rows: list[list[EncodedChat]] = []
    rows_by_free: defaultdict[int, list[list[EncodedChat]]] = defaultdict(list)
    free_sizes: list[int] = []  # the keys of `rows_by_free` that hold a row, ascending
    for window in sorted(shuffled, key=_count_tokens, reverse=True):
        index = bisect_left(free_sizes, _count_tokens(window))
        if index == len(free_sizes):
            free = max_length
            rows.append([])
            row = rows[-1]
        else:
            free = free_sizes[index]
            row = rows_by_free[free].pop()
            if not rows_by_free[free]:
                del free_sizes[index]
        row.append(window)
        remaining = free - _count_tokens(window)
        if not rows_by_free[remaining]:
            insort(free_sizes, remaining)
        rows_by_free[remaining].append(row)
    return [tuple(row) for row in rows]


def build_packed_batch(rows: Sequence[PackedRow], device: "torch.device | str" = "cpu") -> TokenBatch:
    """Return the rows as one batch of shape (B, T).

    It has the position of every token in its window. The first token of a window is never a target, because the token
    before it is of another conversation.
    """
    import torch

    joined = [_join_windows(row) for row in rows]
    batch = pad_rows(joined, device)
    width = batch.input_ids.shape[1]
    positions: list[torch.Tensor] = []
    for row, whole in zip(rows, joined, strict=True):
        sizes = [*map(_count_tokens, row), width - _count_tokens(whole)]
        positions.append(torch.cat([torch.arange(size) for size in sizes]))
    return batch._replace(position_ids=torch.stack(positions).to(device))


def _join_windows(row: PackedRow) -> EncodedChat:
    """Return the windows of a row as one sequence."""
    input_ids: list[int] = []
    is_target: list[bool] = []
    for window in row:
        input_ids += window.input_ids
        is_target += (False, *window.is_target[1:])
    return EncodedChat(input_ids, is_target)


def check_packing(model: "PreTrainedModel", windows: Sequence[EncodedChat]) -> None:
    """Raise `ModelError` if windows of one row see each other.

    They do in state-space models. The first tokens of two windows are scored together and apart: their
    log-probabilities must be the same.
    """
    import torch

    starts = [window.input_ids[:_PROBE_TOKENS] for window in (windows[0], windows[-1])]
    probes = tuple(EncodedChat(ids, [True] * len(ids)) for ids in starts)
    with torch.no_grad():
        together = compute_token_logps(model, build_packed_batch([probes], model.device))[0]
        apart = torch.cat([compute_token_logps(model, pad_rows([window], model.device))[0] for window in probes])
    if (difference := (together - apart).abs().max().item()) > _TOLERANCE:
        raise ModelError(
            f"train_user.packing: in {type(model).__name__} windows of one row see each other: the log-probability "
            f"of a token changes by {difference:.3f} nats beside another window; set train_user.packing: false"
        )


def count_targets(rows: Sequence[EncodedChat | PackedRow]) -> int:
    """Return the number of target tokens.

    It is the weight of these rows in the mean loss of a batch.
    """
    total = 0
    for row in rows:
        windows = [row] if isinstance(row, EncodedChat) else row
        total += sum(sum(window.is_target[1:]) for window in windows)
    return total


def _count_tokens(window: EncodedChat) -> int:
    """Return the length of a window in tokens."""
    return len(window.input_ids)
