"""Log-probabilities of many token sequences that share beginnings, each shared token computed once.

Replies to one prompt, follow-ups to one reply: the model reads a tree of tokens as one row, in which a token sees its
ancestors alone and stands at its depth (tree attention; Miao et al. 2024, SpecInfer, §4.2). The result is that of one
row per sequence. Works for models whose tokens meet through attention only, full or within a window, and which take a
mask of their own.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from turnabout.errors import ModelError

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import Tensor
    from transformers import PreTrainedModel

#: Wanted nodes of one batch: their vocabulary logits are held at once, 1,024 × 50,000 in float32 are 200 MB.
MAX_WANTED = 1024


class TokenTree:
    """Token sequences with their common beginnings merged; a node is a token after all its ancestors."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.parents: list[int] = []
        self.depths: list[int] = []
        self._children: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        return len(self.tokens)

    def add(self, tokens: Sequence[int], after: int = -1) -> list[int]:
        """The nodes of `tokens` one after another below the node `after` (-1: from the start), made where missing."""
        nodes = []
        for token in tokens:
            if (after, token) not in self._children:
                self._children[after, token] = len(self)
                self.depths.append(0 if after < 0 else self.depths[after] + 1)
                self.tokens.append(token)
                self.parents.append(after)
            after = self._children[after, token]
            nodes.append(after)
        return nodes

    def count_shared(self, tokens: Sequence[int]) -> int:
        """How many of the first `tokens` the tree has already, from the start."""
        node = -1
        for count, token in enumerate(tokens):
            if (node, token) not in self._children:
                return count
            node = self._children[node, token]
        return len(tokens)

    def build_attention(self) -> "NDArray[np.bool_]":
        """Shape (T, T): whether the column's node is the row's node or an ancestor of it."""
        sees = np.eye(len(self), dtype=bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                sees[node] |= sees[parent]
        return sees


def compute_node_logps(
    model: "PreTrainedModel", trees: Sequence[TokenTree], wanted: Sequence[Sequence[int]], batch_size: int, desc: str
) -> "list[NDArray[np.float32]]":
    """log P(node | its ancestors) in nats for the wanted nodes of each tree, in order; a tree's first node has none."""
    import torch
    from tqdm import tqdm

    found: list[NDArray[np.float32]] = [np.zeros(0, np.float32)] * len(trees)
    with torch.inference_mode(), tqdm(total=len(trees), desc=desc, unit="row", disable=None) as bar:
        for batch in _batch_by_size(trees, wanted, batch_size):
            logps = _compute_batch_logps(model, [trees[i] for i in batch], [wanted[i] for i in batch])
            for i, part in zip(batch, logps.split([len(wanted[i]) for i in batch]), strict=True):
                found[i] = part.cpu().numpy()
            bar.update(len(batch))
    return found


def _batch_by_size(trees: Sequence[TokenTree], wanted: Sequence[Sequence[int]], batch_size: int) -> Iterator[list[int]]:
    """Indexes of trees of like size, at most `batch_size` together and, from the second on, `MAX_WANTED` nodes."""
    batch: list[int] = []
    for i in sorted(range(len(trees)), key=lambda i: (len(trees[i]), i)):
        if batch and (len(batch) == batch_size or sum(len(wanted[j]) for j in [*batch, i]) > MAX_WANTED):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _compute_batch_logps(model: "PreTrainedModel", trees: Sequence[TokenTree], wanted: Sequence[Sequence[int]]) -> "Tensor":
    """The wanted log-probabilities of all trees one after another, shape (wanted nodes,), float32.

    Like `logps.token_logps`, the vocabulary projection is cut in front of the model's own head.
    """
    import torch

    width = max(map(len, trees))
    ids, depths = np.zeros((2, len(trees), width), np.int64)
    # Padding sees itself, so that no row of the softmax is empty; nothing else sees padding.
    sees = np.tile(np.eye(width, dtype=bool), (len(trees), 1, 1))
    for row, tree in enumerate(trees):
        ids[row, : len(tree)], depths[row, : len(tree)] = tree.tokens, tree.depths
        sees[row, : len(tree), : len(tree)] = tree.build_attention()
    nodes = [(row, tree.parents[node], tree.tokens[node]) for row, tree in enumerate(trees) for node in wanted[row]]
    rows, parents, labels = torch.tensor(nodes, dtype=torch.long).reshape(-1, 3).to(model.device).T

    def keep_parents(_: "torch.nn.Module", hidden: "tuple[Tensor, ...]") -> "tuple[Tensor]":
        return (hidden[0][rows, parents],)

    hook = model.get_output_embeddings().register_forward_pre_hook(keep_parents)
    try:
        out = model(
            input_ids=torch.from_numpy(ids).to(model.device),
            position_ids=torch.from_numpy(depths).to(model.device),
            attention_mask=_build_masks(model, torch.from_numpy(sees), torch.from_numpy(depths)),
            use_cache=False,
        )
    finally:
        hook.remove()
    logits = out.logits.float()
    return logits.gather(1, labels[:, None]).squeeze(1) - logits.logsumexp(dim=1)


def _build_masks(model: "PreTrainedModel", sees: "Tensor", depths: "Tensor") -> "Tensor | dict[str, Tensor]":
    """What each layer adds to its attention scores, from `sees` (B, T, T) and `depths` (B, T).

    One mask where all layers are alike; one for each kind where some see a window only, as such models take them.
    Raises `ModelError` for a model in which tokens meet in another way, such as a recurrent one.
    """
    import torch
    from transformers.cache_utils import DynamicCache, DynamicSlidingWindowLayer

    layers = DynamicCache(config=model.config).layers
    if strange := sorted({type(layer).__name__ for layer in layers} - {"DynamicLayer", "DynamicSlidingWindowLayer"}):
        raise ModelError(
            f"{model.config.model_type}: has layers of kind {strange}; turns can be scored by models that attend only"
        )

    def mask(allowed: "Tensor") -> "Tensor":
        hidden = torch.zeros(allowed.shape, dtype=model.dtype).masked_fill(~allowed, torch.finfo(model.dtype).min)
        return hidden[:, None].to(model.device)

    windows = {layer.sliding_window for layer in layers if isinstance(layer, DynamicSlidingWindowLayer)}
    if not windows:
        return mask(sees)
    within = mask(sees & (depths[:, :, None] - depths[:, None, :] < min(windows)))
    if all(isinstance(layer, DynamicSlidingWindowLayer) for layer in layers):
        return within
    return {"full_attention": mask(sees), "sliding_attention": within}
