"""The shrunk vocabulary, its sampled tokens, and its restoration."""

from typing import Any

import pytest
import torch
from transformers import Gemma2Config, Gemma2ForCausalLM, LlamaConfig, LlamaForCausalLM

from turnabout.errors import ModelError
from turnabout.models.chat_format import EncodedChat
from turnabout.models.logps import compute_token_logps, pad_rows
from turnabout.training.user_model.sampled_softmax import (
    renumber_tokens,
    restore_vocabulary,
    sample_absent_tokens,
    shrink_vocabulary,
)
from turnabout.training.user_model.train import train_user

#: The text has tokens 3, 5 and 9 of a vocabulary of 12.
WINDOW = EncodedChat([5, 3, 9, 5], [False, True, True, True])
SIZE: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}


def build_model(tied: bool, bias: bool = False) -> LlamaForCausalLM:
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=12, tie_word_embeddings=tied, pad_token_id=0, **SIZE))
    if bias:
        model.lm_head = torch.nn.Linear(16, 12)
        if tied:
            model.lm_head.weight = model.model.embed_tokens.weight
    return model.eval()


HEADS = pytest.mark.parametrize(("tied", "bias"), [(True, False), (False, False), (False, True), (True, True)])


@HEADS
def test_shrunk_model_predicts_like_the_whole_one_without_absent_tokens(tied: bool, bias: bool) -> None:
    whole = build_model(tied, bias)
    with torch.no_grad():
        logits = whole(input_ids=torch.tensor([WINDOW.input_ids])).logits[0]
    absent = [token for token in range(12) if token not in (3, 5, 7, 9)]
    logits[:, absent] = -torch.inf
    expected = logits.log_softmax(-1)[[0, 1, 2], [3, 9, 5]]

    vocabulary = shrink_vocabulary(whole, [WINDOW], always=[7])
    assert vocabulary.kept_ids == [3, 5, 7, 9]
    (row,) = renumber_tokens([WINDOW], vocabulary)
    assert row == EncodedChat([1, 0, 3, 1], WINDOW.is_target)
    assert whole.config.vocab_size == whole.get_output_embeddings().out_features == 4
    torch.testing.assert_close(compute_token_logps(whole, pad_rows([row]))[0, 1:], expected)


@HEADS
def test_shrunk_model_predicts_like_the_whole_one_with_all_absent_tokens(tied: bool, bias: bool) -> None:
    whole = build_model(tied, bias)
    expected = compute_token_logps(whole, pad_rows([WINDOW]))
    vocabulary = shrink_vocabulary(whole, [WINDOW], always=[])
    batch = pad_rows(renumber_tokens([WINDOW], vocabulary))
    with sample_absent_tokens(whole, vocabulary, k=100):
        torch.testing.assert_close(compute_token_logps(whole, batch), expected)
    assert whole(input_ids=batch.input_ids).logits.shape[-1] == 3


def test_sampled_tokens_stand_for_all_absent_ones_on_average() -> None:
    whole = build_model(tied=True)
    logps = compute_token_logps(whole, pad_rows([WINDOW]))
    vocabulary = shrink_vocabulary(whole, [WINDOW], always=[])
    batch = pad_rows(renumber_tokens([WINDOW], vocabulary))
    without_absent = compute_token_logps(whole, batch)
    with torch.no_grad(), sample_absent_tokens(whole, vocabulary, k=2):
        sampled = torch.stack([compute_token_logps(whole, batch) for _ in range(3000)])
    assert sampled.std(dim=0)[0, 1:].min() > 0.001
    # Z divided by the label's exponentiated logit is 1 / P; its mean is the whole model's.
    torch.testing.assert_close((-sampled).exp().mean(dim=0), (-logps).exp(), rtol=0.003, atol=0)
    assert (without_absent[0, 1:] - logps[0, 1:]).min() > 0.5


def test_no_token_is_sampled_when_none_is_absent() -> None:
    whole = build_model(tied=True)
    vocabulary = shrink_vocabulary(whole, [WINDOW], always=range(12))
    with sample_absent_tokens(whole, vocabulary, k=4):
        assert whole(input_ids=torch.tensor([[1, 2]])).logits.shape[-1] == 12


def test_shrink_vocabulary_refuses_a_model_that_caps_its_logits() -> None:
    capped = Gemma2ForCausalLM(
        Gemma2Config(vocab_size=12, num_key_value_heads=2, head_dim=8, final_logit_softcapping=0.1, **SIZE)
    )
    with pytest.raises(ModelError, match=r"gemma2 changes its logits .*sampled_softmax: null"):
        shrink_vocabulary(capped, [WINDOW], always=[])


@HEADS
def test_restore_vocabulary_keeps_the_trained_weights(tied: bool, bias: bool) -> None:
    whole = build_model(tied, bias)
    before = {name: weight.clone() for name, weight in whole.state_dict().items()}
    vocabulary = shrink_vocabulary(whole, [WINDOW], always=[])
    with torch.no_grad():
        for weight in whole.parameters():
            weight.add_(1)
    restore_vocabulary(whole, vocabulary)
    after = whole.state_dict()
    assert whole.config.vocab_size == 12
    assert (whole.get_input_embeddings().weight is whole.get_output_embeddings().weight) is tied
    by_token = [name for name in before if name.startswith(("model.embed_tokens", "lm_head"))]
    assert len(by_token) == (3 if bias else 2)
    for name, weight in after.items():
        moved = torch.ones_like(weight) if name not in by_token else torch.zeros_like(weight)
        if name in by_token:
            moved[[3, 5, 9]] = 1
        torch.testing.assert_close(weight, before[name] + moved, rtol=0, atol=1e-6)


@pytest.mark.parametrize("lora_rank", [None, 4])
def test_training_moves_no_token_that_is_absent(user_samples, tiny, user_options, run, lora_rank) -> None:
    before = tiny.model.get_output_embeddings().weight.detach().clone()
    options = user_options(lora_rank=lora_rank, sampled_softmax=4)
    trained = train_user(tiny, user_samples(8), options=options, run=run)
    checkpoint, figures = trained.checkpoint, trained.metrics
    text = "<|im_start|>system\nchat<|im_end|>user\nassistant\nhi hello bye see you"
    kept = set(checkpoint.tokenizer(text, add_special_tokens=False).input_ids)
    after = checkpoint.model.get_output_embeddings().weight
    moved = set((after[: len(before)] != before).any(dim=1).nonzero().flatten().tolist())
    assert len(after) == len(before) + 1
    assert figures["n_vocabulary"] == len(kept) + 1  # and the end of the conversation
    assert moved == (kept if lora_rank is None else set())
    assert figures["last_loss"] < figures["first_loss"]
