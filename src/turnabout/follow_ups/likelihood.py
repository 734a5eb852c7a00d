"""Follow-up Likelihood as Reward: how much likelier a satisfied than a dissatisfied follow-up is after a reply.

Zhang et al., AAAI 2025: r(x, y) = mean over f in F⁺ of ℓ(f | x, y) − mean over f in F⁻ of ℓ(f | x, y), where ℓ is the
mean log-probability of the tokens of f as the user's next turn. The released code averages the raw logits of one
position instead, which is no likelihood: logits have an arbitrary offset, and one position cannot see the words before.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from turnabout.backbones import Checkpoint
from turnabout.follow_ups.phrases import Phrases
from turnabout.generation.base import Message
from turnabout.token_tree import TokenTree, node_logps

#: Contexts with a common beginning share a tree up to this many tokens: attention grows with the square of a tree.
MAX_NODES = 1024


class Branch(NamedTuple):
    """Where one context's follow-ups stand: its tree, and per phrase the nodes of its tokens."""

    tree: int
    phrases: list[list[int]]


def follow_up_likelihood(
    checkpoint: Checkpoint,
    contexts: Sequence[Sequence[Message]],
    phrases: Phrases,
    batch_size: int,
    intents: Sequence[str] | None = None,
) -> list[float]:
    """One reward per context, in nats per token; each context ends with the assistant's reply.

    A follow-up's tokens are its words and the end of its turn. With `intents`, each context begins with the person's
    intent as system message, as the user model was trained. Only differences between replies to one prompt mean
    anything: politeness alone makes praise likelier, and that part cancels.
    """
    chat = checkpoint.chat
    heads: list[list[Message]] = (
        [[] for _ in contexts] if intents is None else [[{"role": "system", "content": i}] for i in intents]
    )
    rows = [chat.prompt_ids([*head, *context], "user") for head, context in zip(heads, contexts, strict=True)]
    trees, branches = _plant(rows, [chat.completion_ids(text) for text in [*phrases.positive, *phrases.negative]])
    wanted = [sorted({n for b in branches if b.tree == i for p in b.phrases for n in p}) for i in range(len(trees))]
    found = node_logps(checkpoint.model, trees, wanted, batch_size, f"{checkpoint.name} judges")
    logps = [dict(zip(nodes, values, strict=True)) for nodes, values in zip(wanted, found, strict=True)]
    return [
        _reward([[logps[b.tree][n] for n in nodes] for nodes in b.phrases], len(phrases.positive)) for b in branches
    ]


def _reward(logps: Sequence[Sequence[float]], n_positive: int) -> float:
    """r(x, y) of one context from the token log-probabilities of its follow-ups, the positive ones first."""
    means = [np.mean(each) for each in logps]
    return float(np.mean(means[:n_positive]) - np.mean(means[n_positive:]))


def _plant(rows: Sequence[Sequence[int]], phrases: Sequence[Sequence[int]]) -> tuple[list[TokenTree], list[Branch]]:
    """Trees that hold every row with every phrase after it, and where each row's phrases stand, in the order of rows.

    Rows are taken in the order of their tokens, so that those with the same prompt come together.
    """
    trees: list[TokenTree] = []
    branches: dict[int, Branch] = {}
    n_new = sum(map(len, phrases))
    for i in sorted(range(len(rows)), key=lambda i: (rows[i], i)):
        row = rows[i]
        shared = trees[-1].shared(row) if trees else 0
        if not trees or 2 * shared < len(row) or len(trees[-1]) + len(row) - shared + n_new > MAX_NODES:
            trees.append(TokenTree())
        end = trees[-1].grow(row)[-1]
        branches[i] = Branch(len(trees) - 1, [trees[-1].grow(phrase, end) for phrase in phrases])
    return trees, [branches[i] for i in range(len(rows))]
