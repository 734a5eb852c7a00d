"""Ranking accuracy: how often a model itself finds the chosen reply likelier than the rejected one.

Chen et al. 2024 (arXiv 2405.19534), length-normalised: the mean over pairs of 1[log π(y_w)/|y_w| ≥ log π(y_l)/|y_l|].
"""

import numpy as np
import polars as pl

from turnabout.core.comparable_pairs import comparable_pairs
from turnabout.models.checkpoints import Checkpoint
from turnabout.models.token_tree import TokenTree, node_logps
from turnabout.stats.estimate import Estimate, mean, nothing


def ranking_accuracy(
    checkpoint: Checkpoint, pairs: pl.DataFrame, batch_size: int, resamples: int, seed: int
) -> Estimate:
    """The share of kept validation pairs (`schemas.PAIRS`), of those with two replies to one prompt, ranked right."""
    held_out, skipped = comparable_pairs(pairs.filter("keep", split="validation").sort("pair_id"))
    if held_out.is_empty():
        told = "; ".join(f"{count} with {reason}" for reason, count in skipped.items())
        return nothing("no kept pair of validation users" + (f" to rank: {told}" if told else ""))
    chat = checkpoint.chat
    trees, sides = [], []
    for prompt, chosen, rejected in held_out.select("prompt", "chosen", "rejected").iter_rows():
        tree = TokenTree()
        end = tree.grow(chat.prompt_ids(prompt, "assistant"))[-1]
        sides.append([tree.grow(chat.completion_ids(text), end) for text in (chosen, rejected)])
        trees.append(tree)
    wanted = [[*chosen, *rejected] for chosen, rejected in sides]
    found = node_logps(checkpoint.model, trees, wanted, batch_size, f"{checkpoint.name} ranks")
    right = [
        np.mean(logps[: len(chosen)]) >= np.mean(logps[len(chosen) :])
        for logps, (chosen, _) in zip(found, sides, strict=True)
    ]
    users = held_out["user_key"].fill_null(held_out["conversation_id"]).to_list()
    return mean(right, users, resamples, seed)
