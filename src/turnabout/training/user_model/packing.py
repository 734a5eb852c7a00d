"""Several windows in one row, each of which sees itself alone: no padding is computed and nothing else changes.

Attention stays inside a window because positions begin again at 0 in each: from that transformers builds the mask.
"""

import random
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from turnabout.errors import ModelError
from turnabout.models.chat_format import Encoded
from turnabout.models.logps import TokenBatch, pad, token_logps

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

#: One row: windows one after another.
Packed = tuple[Encoded, ...]

#: Tokens of each window that the check reads, and how far apart (nats) rounding may put the same log-probability.
_PROBE_TOKENS, _TOLERANCE = 16, 1e-3


def pack(windows: Sequence[Encoded], max_length: int, seed: int) -> list[Packed]:
    """All windows in rows of at most `max_length` tokens; a longer window has a row for itself.

    Best fit decreasing: the longest first, each into the fullest row that has room. Among windows of one length the
    seed draws the order.
    """
    drawn = random.Random(seed).sample(windows, len(windows))
    rows: list[list[Encoded]] = []
    rows_by_room: defaultdict[int, list[list[Encoded]]] = defaultdict(list)
    rooms: list[int] = []  # the keys of `rows_by_room` that hold a row, ascending
    for window in sorted(drawn, key=_length, reverse=True):
        at = bisect_left(rooms, _length(window))
        if at == len(rooms):
            room = max_length
            rows.append([])
            row = rows[-1]
        else:
            room = rooms[at]
            row = rows_by_room[room].pop()
            if not rows_by_room[room]:
                del rooms[at]
        row.append(window)
        left = room - _length(window)
        if not rows_by_room[left]:
            insort(rooms, left)
        rows_by_room[left].append(row)
    return [tuple(row) for row in rows]


def packed_batch(rows: Sequence[Packed], device: "torch.device | str" = "cpu") -> TokenBatch:
    """Rows as one batch of shape (B, T), with the position of every token in its window.

    The first token of a window is never a target: what stands before it is another conversation.
    """
    import torch

    joined = [
        Encoded(
            [token for window in row for token in window.input_ids],
            [is_target for window in row for is_target in (False, *window.is_target[1:])],
        )
        for row in rows
    ]
    batch = pad(joined, device)
    padding = [batch.input_ids.shape[1] - _length(row) for row in joined]
    positions = [
        torch.cat([*(torch.arange(_length(window)) for window in row), torch.arange(rest)])
        for row, rest in zip(rows, padding, strict=True)
    ]
    return batch._replace(position_ids=torch.stack(positions).to(device))


def check_packing(model: "PreTrainedModel", windows: Sequence[Encoded]) -> None:
    """Raise `ModelError` where windows of one row see each other, as they do in state-space models.

    The beginnings of two windows are read together and apart: their tokens must be as likely either way.
    """
    import torch

    two = [Encoded(ids, [True] * len(ids)) for ids in (w.input_ids[:_PROBE_TOKENS] for w in (windows[0], windows[-1]))]
    with torch.no_grad():
        together = token_logps(model, packed_batch([tuple(two)], model.device))[0]
        apart = torch.cat([token_logps(model, pad([window], model.device))[0] for window in two])
    if (difference := (together - apart).abs().max().item()) > _TOLERANCE:
        raise ModelError(
            f"train_user.packing: in {type(model).__name__} windows of one row see each other: the log-probability "
            f"of a token changes by {difference:.3f} nats beside another window; set train_user.packing: false"
        )


def n_targets(rows: Sequence[Encoded | Packed]) -> int:
    """Target tokens in rows of either kind, which is what they count in the loss of a batch."""
    windows = [window for row in rows for window in ([row] if isinstance(row, Encoded) else row)]
    return sum(sum(window.is_target[1:]) for window in windows)


def _length(window: Encoded) -> int:
    return len(window.input_ids)
