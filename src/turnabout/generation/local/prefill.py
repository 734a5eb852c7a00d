"""Key-value caches of batches of prompts; shared prefixes computed once."""

from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel
    from transformers.cache_utils import DynamicCache

#: Minimum length, in tokens, of a prefix of different prompts that is computed separately: that is one more pass.
MIN_SHARED = 32


def prefill_cache(
    model: "PreTrainedModel", rows: Sequence[Sequence[int]], ids: "Tensor", attention: "Tensor"
) -> "DynamicCache | None":
    """Return the key-values of all tokens but the last of each row.

    None where nothing is shared or the model cannot share it. `ids` and `attention`, shape (B, T), are the rows padded
    on the left. Draws of one prompt are equal rows: the row is computed once and copied. The prefix that all rows share
    is computed once, too. A token's key-values depend on its position in the text and on the tokens before it, not on
    the padding, so they are copied to its column in each row.
    """
    import torch
    from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

    first = {tuple(row): i for i, row in reversed(list(enumerate(rows)))}
    index_of_row = {row: index for index, row in enumerate(sorted(first))}
    n_shared = min(_count_common(list(first)), ids.shape[1] - 1)
    cache = DynamicCache(config=model.config)
    kinds = {type(layer) for layer in cache.layers}
    if len(first) == 1 or n_shared < MIN_SHARED or kinds - {DynamicLayer}:
        n_shared = 0
    if not kinds <= {DynamicLayer, DynamicSlidingWindowLayer} or (len(first) == len(rows) and not n_shared):
        return None
    distinct = torch.tensor([first[row] for row in sorted(first)])
    ids, attention = ids[distinct, :-1], attention[distinct, :-1]
    if n_shared:
        _share_prefix(model, rows[0][:n_shared], (attention == 0).sum(dim=1), cache)
    if n_shared < ids.shape[1]:
        _extend(model, ids[:, n_shared:], attention, cache)
    cache.batch_select_indices(torch.tensor([index_of_row[tuple(row)] for row in rows], device=model.device))
    return cache


def _count_common(rows: Sequence[Sequence[int]]) -> int:
    """Return the length of the prefix that all rows share."""
    return sum(1 for _ in takewhile(lambda tokens: len(set(tokens)) == 1, zip(*rows, strict=False)))


def _share_prefix(model: "PreTrainedModel", tokens: Sequence[int], n_padding: "Tensor", cache: "DynamicCache") -> None:
    """Fill the first columns of `cache` with the key-values of `tokens`.

    They are shifted right by each row's padding. The padded columns, which no token attends to, hold those of the first
    token.
    """
    import torch
    from transformers.cache_utils import DynamicCache

    single = DynamicCache(config=model.config)
    ids = torch.tensor([tokens])
    _extend(model, ids, torch.ones_like(ids), single)
    columns = (torch.arange(len(tokens)) - n_padding[:, None]).clamp(min=0).to(model.device)
    for i, (keys, values, _) in enumerate(single):
        cache.update(keys[0][:, columns].transpose(0, 1), values[0][:, columns].transpose(0, 1), i)


def _extend(model: "PreTrainedModel", ids: "Tensor", attention: "Tensor", cache: "DynamicCache") -> None:
    """Add the key-values of `ids` to the cache.

    `ids` are the last columns of `attention`.
    """
    positions = (attention.cumsum(dim=1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    model(
        input_ids=ids.to(model.device),
        attention_mask=attention.to(model.device),
        position_ids=positions.to(model.device),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
