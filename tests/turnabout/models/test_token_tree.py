"""Tests of the token tree against one row per sequence.

Its shape is counted by hand.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    Lfm2Config,
    Lfm2ForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from turnabout.errors import ModelError
from turnabout.models.checkpoints import load_checkpoint
from turnabout.models.token_tree import TokenTree, compute_node_logps


def score_alone(model: torch.nn.Module, sequence: list[int]) -> list[float]:
    """Return log P of every token except the first, from a separate row.

    Computed from the full logits.
    """
    logps = model(torch.tensor([sequence])).logits[0].detach().log_softmax(dim=-1)
    return [float(logps[i, token]) for i, token in enumerate(sequence[1:])]


def test_tree_stores_common_prefixes_once() -> None:
    tree = TokenTree()
    first = tree.add([5, 6, 7])
    second = tree.add([5, 6, 8])
    third = tree.add([7], after=first[0])
    # 5 ─ 6 ─ 7
    # │   └─ 8
    # └─ 7
    assert (first, second, third) == ([0, 1, 2], [0, 1, 3], [4])
    assert (tree.tokens, tree.parents, tree.depths) == ([5, 6, 7, 8, 7], [-1, 0, 1, 1, 0], [0, 1, 2, 2, 1])
    assert tree.count_shared([5, 6, 9]) == 2
    assert tree.count_shared([5, 6]) == 2
    assert tree.build_attention().astype(int).tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 0, 1, 0],
        [1, 0, 0, 0, 1],
    ]


@pytest.mark.parametrize("batch_size", [1, 3])
def test_node_logps_equal_those_of_separate_rows(tiny_checkpoint: Path, batch_size: int) -> None:
    model = load_checkpoint(tiny_checkpoint, "float32").model
    rows = [[[1, 2, 3, 4], [1, 2, 9, 9, 8], [1, 5]], [[7, 7], [7, 3, 3, 3, 3, 3, 3, 3]], [[4, 1, 1]]]
    trees, targets = [], []
    for sequences in rows:
        tree = TokenTree()
        targets.append([node for sequence in sequences for node in tree.add(sequence)[1:]])
        trees.append(tree)
    all_logps = compute_node_logps(model, trees, targets, batch_size=batch_size, desc="test")
    for sequences, logps in zip(rows, all_logps, strict=True):
        expected = [logp for sequence in sequences for logp in score_alone(model, sequence)]
        assert logps == pytest.approx(expected, abs=1e-4)


def test_no_targets_give_no_logps(tiny_checkpoint: Path) -> None:
    model = load_checkpoint(tiny_checkpoint, "float32").model
    tree = TokenTree()
    tree.add([1, 2])
    assert [len(logps) for logps in compute_node_logps(model, [tree], [[]], batch_size=2, desc="test")] == [0]
    assert compute_node_logps(model, [], [], batch_size=2, desc="test") == []


def test_projection_is_unchanged_afterwards(tiny_checkpoint: Path) -> None:
    model = load_checkpoint(tiny_checkpoint, "float32").model
    tree = TokenTree()
    compute_node_logps(model, [tree], [tree.add([1, 2])[1:]], batch_size=1, desc="test")
    assert model(torch.tensor([[1, 2, 3]])).logits.shape[1] == 3


SMALL: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


@pytest.mark.parametrize("kind", ["mixed", "all"])
def test_sliding_window_layers_attend_within_the_branch(kind: str) -> None:
    torch.manual_seed(0)
    layers = ["sliding_attention", "full_attention"]
    if kind == "mixed":
        settings = Gemma3TextConfig(**SMALL, head_dim=8, sliding_window=6, layer_types=layers)
        model: Any = Gemma3ForCausalLM(settings).eval()
    else:
        model = MistralForCausalLM(MistralConfig(**SMALL, sliding_window=6)).eval()
    before = list(range(1, 21))  # longer than the window
    sequences = [[*before, 30, 31, 32], [*before, 30, 33], [*before, 40]]
    tree = TokenTree()
    targets = [node for sequence in sequences for node in tree.add(sequence)[20:]]
    logps = compute_node_logps(model, [tree], [targets], batch_size=2, desc="test")[0]
    expected = [logp for sequence in sequences for logp in score_alone(model, sequence)[19:]]
    assert logps.tolist() == pytest.approx(expected, abs=1e-4)


def test_model_with_other_layers_is_refused() -> None:
    model: Any = Lfm2ForCausalLM(Lfm2Config(**SMALL, layer_types=["conv", "full_attention"])).eval()
    tree = TokenTree()
    with pytest.raises(ModelError, match="lfm2: has layers of kind"):
        compute_node_logps(model, [tree], [tree.add([1, 2])[1:]], batch_size=1, desc="test")
