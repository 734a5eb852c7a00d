"""Ranking accuracy: how often a model finds the chosen reply likelier.

Chen et al. 2024 (arXiv 2405.19534), length-normalised: the mean over pairs of 1[log π(y_w)/|y_w| ≥ log π(y_l)/|y_l|].
"""

import numpy as np
import polars as pl

from turnabout.core.comparable_pairs import split_comparable_pairs
from turnabout.generation.local.generator import LocalGenerator
from turnabout.models.token_tree import TokenTree, compute_node_logps
from turnabout.stats.estimate import Bootstrap, Estimate, missing_estimate


def estimate_ranking_accuracy(assistant: LocalGenerator, pairs: pl.DataFrame, bootstrap: Bootstrap) -> Estimate:
    """Estimate the share of held-out pairs that the assistant ranks correctly.

    Uses the kept validation pairs (`schemas.PAIRS`) with two replies to the same prompt.
    """
    held_out, skipped = split_comparable_pairs(pairs.filter("keep", split="validation").sort("pair_id"))
    if held_out.is_empty():
        skip_reasons = "; ".join(f"{count} with {reason}" for reason, count in skipped.items())
        suffix = f" to rank: {skip_reasons}" if skip_reasons else ""
        return missing_estimate(f"no kept pair of validation users{suffix}")
    checkpoint = assistant.checkpoint
    trees: list[TokenTree] = []
    completions: list[tuple[list[int], list[int]]] = []
    for prompt, chosen, rejected in held_out.select("prompt", "chosen", "rejected").iter_rows():
        tree = TokenTree()
        prompt_end = tree.add(checkpoint.chat.encode_prompt(prompt, "assistant"))[-1]
        chosen_nodes = tree.add(checkpoint.chat.encode_completion(chosen), prompt_end)
        rejected_nodes = tree.add(checkpoint.chat.encode_completion(rejected), prompt_end)
        trees.append(tree)
        completions.append((chosen_nodes, rejected_nodes))
    wanted = [[*chosen_nodes, *rejected_nodes] for chosen_nodes, rejected_nodes in completions]
    all_logps = compute_node_logps(
        checkpoint.model, trees, wanted, batch_size=assistant.batch_size, desc=f"{checkpoint.name} ranks"
    )
    is_correct = []
    for logps, (chosen_nodes, _) in zip(all_logps, completions, strict=True):
        n_chosen = len(chosen_nodes)
        is_correct.append(np.mean(logps[:n_chosen]) >= np.mean(logps[n_chosen:]))
    users = held_out["user_key"].fill_null(held_out["conversation_id"]).to_list()
    return bootstrap.mean(is_correct, users)
