"""Packing: rows, positions, and windows that do not see each other."""

from typing import Any

import pytest
import torch
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
)

from turnabout.errors import ModelError
from turnabout.models.chat_format import EncodedChat
from turnabout.models.logps import compute_token_logps, pad_rows
from turnabout.training.user_model.packing import build_packed_batch, check_packing, pack_windows

SIZES: dict[str, Any] = {"vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 2, "initializer_range": 0.3}
HEADS: dict[str, Any] = {"intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2}
WINDOWS = [
    EncodedChat([5, 6, 7, 8, 9, 10, 11], [False, False, True, True, False, True, True]),
    EncodedChat([12, 13, 14], [False, True, True]),
    EncodedChat([15, 16, 17, 18, 19], [False, True, False, False, True]),
    EncodedChat([20, 21], [False, True]),
]


def build_window(length: int, mark: int = 0) -> EncodedChat:
    return EncodedChat([mark] * length, [False] * length)


def list_lengths(rows):
    return [[len(window.input_ids) for window in row] for row in rows]


@pytest.fixture(params=["llama", "gemma3", "llama-eager"])
def model(request):
    """A random model whose output would change if windows saw each other.

    Gemma's first layer sees 4 tokens back.
    """
    torch.manual_seed(1)
    if request.param == "gemma3":
        layers: dict[str, Any] = {
            "layer_types": ["sliding_attention", "full_attention"],
            "sliding_window": 4,
            "head_dim": 8,
        }
        return Gemma3ForCausalLM(Gemma3TextConfig(**SIZES, **HEADS, **layers)).eval()
    attention = "eager" if request.param == "llama-eager" else "sdpa"
    config = LlamaConfig(**SIZES, **HEADS, attn_implementation=attention)  # type: ignore[call-arg]  # wrong stub
    return LlamaForCausalLM(config).eval()


def test_pack_windows_puts_the_longest_first_into_the_fullest_row_that_fits() -> None:
    # 9 and 8 open a row each; 5 and 4 do not fit beside them: 5 opens a third, where 4 fits (1 left); 2 fits only
    # into the row of 8; of the 1s one fills the row of 9, one the third.
    rows = pack_windows([build_window(n) for n in (1, 4, 8, 5, 2, 9, 1)], 10, seed=1)
    assert list_lengths(rows) == [[9, 1], [8, 2], [5, 4, 1]]


def test_pack_windows_gives_a_window_that_is_too_long_its_own_row() -> None:
    assert list_lengths(pack_windows([build_window(12), build_window(3), build_window(7)], 10, seed=1)) == [
        [12],
        [7, 3],
    ]
    assert pack_windows([], 10, seed=1) == []


def test_pack_windows_orders_windows_of_one_length_by_the_seed() -> None:
    windows = [build_window(5, mark) for mark in range(20)]
    assert pack_windows(windows, 10, seed=1) == pack_windows(windows, 10, seed=1) != pack_windows(windows, 10, seed=2)


def test_packed_batch_restarts_positions_and_excludes_first_tokens() -> None:
    batch = build_packed_batch(
        [(EncodedChat([5, 6], [True, True]), EncodedChat([7, 8, 9], [True, False, True])), (build_window(2),)]
    )
    assert batch.input_ids.tolist() == [[5, 6, 7, 8, 9], [0, 0, 0, 0, 0]]
    assert batch.position_ids is not None
    assert batch.position_ids.tolist() == [[0, 1, 0, 1, 2], [0, 1, 0, 1, 2]]
    assert batch.is_target.tolist() == [[False, True, False, False, True], [False] * 5]
    assert batch.attention_mask.tolist() == [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]


def test_window_has_the_same_logps_and_gradient_in_a_row_as_alone(model) -> None:
    def compute_logps_and_gradient(batch):
        model.zero_grad()
        logps = compute_token_logps(model, batch)
        logps.sum().backward()
        return logps[batch.is_target], torch.cat([weight.grad.flatten() for weight in model.parameters()])

    alone, gradient = compute_logps_and_gradient(pad_rows(WINDOWS))
    together, packed_gradient = compute_logps_and_gradient(build_packed_batch([tuple(WINDOWS[:3]), tuple(WINDOWS[3:])]))
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)
    assert gradient.abs().max() > 0.1
    torch.testing.assert_close(packed_gradient, gradient, rtol=1e-4, atol=1e-5)
    check_packing(model, WINDOWS)


def test_check_packing_refuses_a_model_that_carries_its_state_on() -> None:
    torch.manual_seed(1)
    model = MambaForCausalLM(MambaConfig(**SIZES, state_size=4, use_mambapy=False)).eval()
    with pytest.raises(ModelError, match=r"in MambaForCausalLM windows of one row see each other: .*packing: false"):
        check_packing(model, WINDOWS)
