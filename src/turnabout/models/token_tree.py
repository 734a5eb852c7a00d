"""Log-probabilities of many token sequences with common prefixes.

Each shared token is computed once. For example replies to one prompt, or follow-ups to one reply. The model reads a
tree of tokens as one row, in which a token attends to its ancestors only and its position is its depth (tree attention;
Miao et al. 2024, SpecInfer, §4.2). The result equals that of one row per sequence. Works for models that mix tokens by
attention only, full or within a window, and that accept a custom mask.
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

#: Maximum number of target nodes in one batch. Their logits exist at the same time: 1,024 × 50,000 in float32 are
#: 200 MB.
MAX_TARGETS = 1024


class TokenTree:
    """Token sequences with merged common prefixes.

    A node is a token after all its ancestors.
    """

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.parents: list[int] = []
        self.depths: list[int] = []
        self._children: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        return len(self.tokens)

    def add(self, tokens: Sequence[int], after: int = -1) -> list[int]:
        """Add `tokens` as a path below the node `after` and return their nodes.

        -1 is the start. Existing nodes are reused.
        """
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
        """Return how many of the first `tokens` the tree has from the start."""
        node = -1
        for count, token in enumerate(tokens):
            if (node, token) not in self._children:
                return count
            node = self._children[node, token]
        return len(tokens)

    def build_attention(self) -> "NDArray[np.bool_]":
        """Return which nodes each node attends to, in shape (T, T).

        True where the column's node is the row's node or an ancestor of it.
        """
        attends = np.eye(len(self), dtype=bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                attends[node] |= attends[parent]
        return attends


def compute_node_logps(
    model: "PreTrainedModel",
    trees: Sequence[TokenTree],
    targets: Sequence[Sequence[int]],
    *,
    batch_size: int,
    desc: str,
) -> "list[NDArray[np.float32]]":
    """Return log P(node | its ancestors) for each tree's targets, in nats.

    In the order of `targets`, one array per tree. The first node of a tree has no ancestors and cannot be a target.
    """
    import torch
    from tqdm import tqdm

    results: list[NDArray[np.float32]] = [np.zeros(0, np.float32)] * len(trees)
    # `leave=None`: below the bar of a caller, this one vanishes when it is full
    with torch.inference_mode(), tqdm(total=len(trees), desc=desc, unit="row", disable=None, leave=None) as bar:
        for batch in _batch_by_size(trees, targets, batch_size):
            logps = _compute_batch_logps(model, [trees[i] for i in batch], [targets[i] for i in batch])
            for i, part in zip(batch, logps.split([len(targets[i]) for i in batch]), strict=True):
                results[i] = part.cpu().numpy()
            bar.update(len(batch))
    return results


def _batch_by_size(
    trees: Sequence[TokenTree], targets: Sequence[Sequence[int]], batch_size: int
) -> Iterator[list[int]]:
    """Yield batches of indexes of trees of similar size.

    At most `batch_size` trees are together. A batch of several trees has at most `MAX_TARGETS` target nodes.
    """
    batch: list[int] = []
    for i in sorted(range(len(trees)), key=lambda i: (len(trees[i]), i)):
        if batch and (len(batch) == batch_size or sum(len(targets[j]) for j in [*batch, i]) > MAX_TARGETS):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _compute_batch_logps(
    model: "PreTrainedModel", trees: Sequence[TokenTree], targets: Sequence[Sequence[int]]
) -> "Tensor":
    """Return the log-probabilities of all trees' targets, concatenated.

    Shape (targets,), float32. As in `logps.compute_token_logps`, hidden states are selected before the model's own
    projection.
    """
    import torch

    width = max(map(len, trees))
    ids, depths = np.zeros((2, len(trees), width), np.int64)
    # Padding attends to itself, so that no row of the softmax is empty; no other token attends to padding.
    attends = np.tile(np.eye(width, dtype=bool), (len(trees), 1, 1))
    for row, tree in enumerate(trees):
        ids[row, : len(tree)], depths[row, : len(tree)] = tree.tokens, tree.depths
        attends[row, : len(tree), : len(tree)] = tree.build_attention()
    nodes = []
    for row, tree in enumerate(trees):
        nodes += [(row, tree.parents[node], tree.tokens[node]) for node in targets[row]]
    rows, parents, labels = torch.tensor(nodes, dtype=torch.long).reshape(-1, 3).to(model.device).T

    def keep_parents(_: "torch.nn.Module", hidden: "tuple[Tensor, ...]") -> "tuple[Tensor]":
        """Project only the states that predict the targets."""
        return (hidden[0][rows, parents],)

    hook = model.get_output_embeddings().register_forward_pre_hook(keep_parents)
    try:
        out = model(
            input_ids=torch.from_numpy(ids).to(model.device),
            position_ids=torch.from_numpy(depths).to(model.device),
            attention_mask=_build_masks(model, torch.from_numpy(attends), torch.from_numpy(depths)),
            use_cache=False,
        )
    finally:
        hook.remove()
    logits = out.logits.float()
    return logits.gather(1, labels[:, None]).squeeze(1) - logits.logsumexp(dim=1)


def _build_masks(model: "PreTrainedModel", attends: "Tensor", depths: "Tensor") -> "Tensor | dict[str, Tensor]":
    """Return what each layer adds to its attention scores.

    `attends` has shape (B, T, T), `depths` (B, T). One mask where all layers are alike; one per kind of layer where
    some attend within a window, as such models expect it. Raises `ModelError` for a model that mixes tokens in another
    way, such as a recurrent one.
    """
    import torch
    from transformers.cache_utils import DynamicCache, DynamicSlidingWindowLayer

    layers = DynamicCache(config=model.config).layers
    if unsupported := sorted(
        {type(layer).__name__ for layer in layers} - {"DynamicLayer", "DynamicSlidingWindowLayer"}
    ):
        raise ModelError(
            f"{model.config.model_type}: has layers of kind {unsupported}; only models whose layers are all "
            "attention can score turns"
        )

    def build_mask(allowed: "Tensor") -> "Tensor":
        """Return 0 where attention is allowed, and the lowest number elsewhere."""
        hidden = torch.zeros(allowed.shape, dtype=model.dtype).masked_fill(~allowed, torch.finfo(model.dtype).min)
        return hidden[:, None].to(model.device)

    windows = {layer.sliding_window for layer in layers if isinstance(layer, DynamicSlidingWindowLayer)}
    if not windows:
        return build_mask(attends)
    windowed = build_mask(attends & (depths[:, :, None] - depths[:, None, :] < min(windows)))
    if all(isinstance(layer, DynamicSlidingWindowLayer) for layer in layers):
        return windowed
    return {"full_attention": build_mask(attends), "sliding_attention": windowed}
