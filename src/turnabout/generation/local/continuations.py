"""How likely a model finds given continuations of given prompts, every shared beginning computed once."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from turnabout.models.token_tree import TokenTree, compute_node_logps

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedModel

#: Prompts with a common beginning share a tree up to this many tokens: attention grows with the square of a tree.
MAX_NODES = 1024


class Branch(NamedTuple):
    """Where the continuations of one prompt stand: its tree, and per continuation the nodes of its tokens."""

    tree: int
    nodes: list[list[int]]


def compute_continuation_logps(
    model: "PreTrainedModel",
    prompts: Sequence[Sequence[int]],
    continuations: Sequence[Sequence[Sequence[int]]],
    batch_size: int,
    desc: str,
) -> "list[list[NDArray[np.float32]]]":
    """log P of every token of each continuation after its prompt, in nats, shaped like `continuations`.

    Prompts and continuations are token ids; no prompt may be empty.
    """
    trees, branches = _plant(prompts, continuations)
    wanted: list[set[int]] = [set() for _ in trees]
    for branch in branches:
        wanted[branch.tree].update(node for nodes in branch.nodes for node in nodes)
    ordered = [sorted(nodes) for nodes in wanted]
    found = compute_node_logps(model, trees, ordered, batch_size, desc)
    places = [dict(zip(nodes, range(len(nodes)), strict=True)) for nodes in ordered]
    return [[found[b.tree][[places[b.tree][node] for node in nodes]] for nodes in b.nodes] for b in branches]


def _plant(
    prompts: Sequence[Sequence[int]], continuations: Sequence[Sequence[Sequence[int]]]
) -> tuple[list[TokenTree], list[Branch]]:
    """Trees that hold every prompt with its continuations after it, and where those stand, in the order of prompts.

    Prompts are taken in the order of their tokens, so that those with the same beginning come together.
    """
    trees: list[TokenTree] = []
    branches: dict[int, Branch] = {}
    for i in sorted(range(len(prompts)), key=lambda i: (prompts[i], i)):
        prompt, n_after = prompts[i], sum(map(len, continuations[i]))
        shared = trees[-1].count_shared(prompt) if trees else 0
        if not trees or 2 * shared < len(prompt) or len(trees[-1]) + len(prompt) - shared + n_after > MAX_NODES:
            trees.append(TokenTree())
        end = trees[-1].add(prompt)[-1]
        branches[i] = Branch(len(trees) - 1, [trees[-1].add(tokens, end) for tokens in continuations[i]])
    return trees, [branches[i] for i in range(len(prompts))]
