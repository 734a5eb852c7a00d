"""Windows in one row: how rows are filled, and that a window reads and learns as if it were alone."""

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
from turnabout.models.chat_format import Encoded
from turnabout.models.logps import pad, token_logps
from turnabout.training.user_model.packing import check_packing, pack, packed_batch

SIZES = {"vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 2, "initializer_range": 0.3}
HEADS = {"intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2}
WINDOWS = [
    Encoded([5, 6, 7, 8, 9, 10, 11], [False, False, True, True, False, True, True]),
    Encoded([12, 13, 14], [False, True, True]),
    Encoded([15, 16, 17, 18, 19], [False, True, False, False, True]),
    Encoded([20, 21], [False, True]),
]


def window(length: int, mark: int = 0) -> Encoded:
    return Encoded([mark] * length, [False] * length)


def lengths(rows):
    return [[len(window.input_ids) for window in row] for row in rows]


@pytest.fixture(params=["llama", "gemma3", "llama-eager"])
def model(request):
    """A random model in which a window that saw another would notice; Gemma's first layer sees 4 tokens back."""
    torch.manual_seed(1)
    if request.param == "gemma3":
        layers = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 4, "head_dim": 8}
        return Gemma3ForCausalLM(Gemma3TextConfig(**SIZES, **HEADS, **layers)).eval()
    attention = "eager" if request.param == "llama-eager" else "sdpa"
    return LlamaForCausalLM(LlamaConfig(**SIZES, **HEADS, attn_implementation=attention)).eval()


def test_the_longest_window_goes_first_each_into_the_fullest_row_that_has_room() -> None:
    # 9 and 8 open a row each; 5 and 4 do not fit beside them: 5 opens a third, where 4 fits (1 left); 2 has room in the
    # row of 8 alone; of the 1s one fills the row of 9, one the third.
    rows = pack([window(n) for n in (1, 4, 8, 5, 2, 9, 1)], 10, seed=1)
    assert lengths(rows) == [[9, 1], [8, 2], [5, 4, 1]]


def test_a_window_that_is_too_long_has_a_row_for_itself_and_nothing_is_lost() -> None:
    assert lengths(pack([window(12), window(3), window(7)], 10, seed=1)) == [[12], [7, 3]]
    assert pack([], 10, seed=1) == []


def test_the_seed_alone_decides_which_windows_of_one_length_meet() -> None:
    windows = [window(5, mark) for mark in range(20)]
    assert pack(windows, 10, seed=1) == pack(windows, 10, seed=1) != pack(windows, 10, seed=2)


def test_positions_begin_again_in_each_window_and_its_first_token_is_never_a_target() -> None:
    batch = packed_batch([(Encoded([5, 6], [True, True]), Encoded([7, 8, 9], [True, False, True])), (window(2),)])
    assert batch.input_ids.tolist() == [[5, 6, 7, 8, 9], [0, 0, 0, 0, 0]]
    assert batch.position_ids is not None
    assert batch.position_ids.tolist() == [[0, 1, 0, 1, 2], [0, 1, 0, 1, 2]]
    assert batch.is_target.tolist() == [[False, True, False, False, True], [False] * 5]
    assert batch.attention_mask.tolist() == [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]


def test_a_window_reads_and_learns_in_a_row_as_it_does_alone(model) -> None:
    def learnt(batch):
        model.zero_grad()
        logps = token_logps(model, batch)
        logps.sum().backward()
        return logps[batch.is_target], torch.cat([weight.grad.flatten() for weight in model.parameters()])

    alone, gradient = learnt(pad(WINDOWS))
    together, same = learnt(packed_batch([tuple(WINDOWS[:3]), tuple(WINDOWS[3:])]))
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)
    assert gradient.abs().max() > 0.1
    torch.testing.assert_close(same, gradient, rtol=1e-4, atol=1e-5)
    check_packing(model, WINDOWS)


def test_a_model_that_carries_its_state_on_into_the_next_window_is_noticed() -> None:
    torch.manual_seed(1)
    model = MambaForCausalLM(MambaConfig(**SIZES, state_size=4, use_mambapy=False)).eval()
    with pytest.raises(ModelError, match=r"in MambaForCausalLM windows of one row see each other: .*packing: false"):
        check_packing(model, WINDOWS)
