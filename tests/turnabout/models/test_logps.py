"""Tests of target log-probabilities against full logits of a tiny model."""

from typing import Any

import pytest
import torch

from turnabout.core.messages import Message
from turnabout.models import checkpoints, logps
from turnabout.models.chat_format import EncodedChat
from turnabout.models.logps import compute_token_logps, encode_answers, pad_rows


@pytest.fixture
def tiny(tiny_checkpoint):
    return checkpoints.load_checkpoint(tiny_checkpoint, "float32")


def test_padding_is_on_the_right_and_never_a_target() -> None:
    batch = pad_rows([EncodedChat([5, 6, 7], [False, True, True]), EncodedChat([8], [True])])
    assert batch.input_ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert batch.attention_mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch.is_target.tolist() == [[False, True, True], [True, False, False]]


def test_targets_get_their_log_softmax_and_context_gets_zero(tiny) -> None:
    rows = [EncodedChat([5, 6, 7, 8], [False, False, True, True]), EncodedChat([9, 10, 11], [False, True, False])]
    batch_logps = compute_token_logps(tiny.model, pad_rows(rows))
    for row, row_logps in zip(rows, batch_logps, strict=True):
        full = tiny.model(torch.tensor([row.input_ids])).logits[0].log_softmax(dim=-1)
        for t, (token, is_target) in enumerate(zip(*row, strict=True)):
            expected = full[t - 1, token] if is_target else torch.tensor(0.0)
            torch.testing.assert_close(row_logps[t], expected)
    assert batch_logps[1, 3] == 0


@pytest.mark.parametrize("max_logits", [logps.MAX_LOGITS, 1])
def test_changes_of_an_architecture_to_its_logits_are_kept(tiny, monkeypatch, max_logits) -> None:
    class Capped(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner, self.config, self.device = inner, inner.config, inner.device

        def get_output_embeddings(self):
            return self.inner.get_output_embeddings()

        def forward(self, **inputs):
            out = self.inner(**inputs)
            out.logits = 0.1 * torch.tanh(out.logits / 0.1)
            return out

    monkeypatch.setattr(logps, "MAX_LOGITS", max_logits)
    row = EncodedChat([5, 6, 7], [False, True, True])
    logits = tiny.model(torch.tensor([[5]])).logits[0, -1]
    expected = (0.1 * torch.tanh(logits / 0.1)).log_softmax(dim=-1)[6]
    capped: Any = Capped(tiny.model)
    torch.testing.assert_close(compute_token_logps(capped, pad_rows([row]))[0, 1], expected)


def test_projection_in_parts_gives_equal_values_and_gradients(tiny, monkeypatch) -> None:
    rows = [EncodedChat([5, 6, 7, 8], [False, True, True, True]), EncodedChat([9, 10, 11], [False, True, True])]

    def compute():
        tiny.model.zero_grad()
        row_logps = compute_token_logps(tiny.model, pad_rows(rows))
        row_logps.square().sum().backward()
        return row_logps.detach(), torch.cat([weight.grad.flatten() for weight in tiny.model.parameters()])

    projected = []
    tiny.model.get_output_embeddings().register_forward_hook(lambda *call: projected.append(len(call[2])))
    values, gradients = compute()
    assert projected == [5]
    monkeypatch.setattr(logps, "MAX_LOGITS", 2 * tiny.model.config.vocab_size)
    values_in_parts, gradients_in_parts = compute()
    # The test of one token, nothing in the forward pass, three parts, and these again for the gradient.
    assert sorted(projected[1:]) == sorted([1, 0, 2, 2, 1, 2, 2, 1])
    torch.testing.assert_close(values_in_parts, values, rtol=0, atol=1e-6)
    torch.testing.assert_close(gradients_in_parts, gradients, rtol=1e-4, atol=1e-5)


def test_only_targets_have_a_gradient(tiny) -> None:
    # The embedding of token 42, read only after the last target, cannot matter; that of the first token can.
    batch = pad_rows([EncodedChat([5, 6, 42], [False, True, False])])
    embeddings = tiny.model.get_input_embeddings()(batch.input_ids).detach().requires_grad_()
    tiny.model.get_input_embeddings().register_forward_hook(lambda *_: embeddings)
    compute_token_logps(tiny.model, batch).sum().backward()
    assert embeddings.grad[0, 0].abs().sum() > 0
    assert embeddings.grad[0, 1:].abs().sum() == 0


def test_answers_follow_a_prompt_cut_at_a_message_boundary(tiny) -> None:
    # A message costs len("<|im_start|>user\n") = 1 + 5 tokens, its text, "<|im_end|>\n" = 2: "aa" 10, "bb" 10.
    # The assistant header is 1 + 10 tokens, the longest answer "yes" 3 + 1: with 25 tokens in all 10 are left.
    prompt: list[Message] = [{"role": "user", "content": "aa"}, {"role": "user", "content": "bb"}]
    yes, no = encode_answers(tiny.chat, prompt, ["yes", "n"], 25)
    assert (
        tiny.tokenizer.decode(yes.input_ids) == "<|im_start|>user\nbb<|im_end|>\n<|im_start|>assistant\nyes<|im_end|>"
    )
    assert tiny.tokenizer.decode(no.input_ids) == "<|im_start|>user\nbb<|im_end|>\n<|im_start|>assistant\nn<|im_end|>"
    assert yes.is_target == [False] * 21 + [True] * 4
    assert len(yes.input_ids) == 25
    assert len(encode_answers(tiny.chat, prompt, ["yes", "n"], 34)[0].input_ids) == 25
    assert len(encode_answers(tiny.chat, prompt, ["yes", "n"], 35)[0].input_ids) == 35
