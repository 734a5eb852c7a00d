"""A narrowed vocabulary: the same model on its words, and the whole model again afterwards."""

import pytest
import torch
from transformers import Gemma2Config, Gemma2ForCausalLM, LlamaConfig, LlamaForCausalLM

from turnabout.errors import ModelError
from turnabout.models.chat_format import Encoded
from turnabout.models.logps import pad, token_logps
from turnabout.training.user_model.sampled_softmax import narrow, others_sampled, renumbered, widen
from turnabout.training.user_model.train import train_user

#: Words 3, 5 and 9 are said; the model knows 12.
WINDOW = Encoded([5, 3, 9, 5], [False, True, True, True])


def model(tied: bool, bias: bool = False) -> LlamaForCausalLM:
    torch.manual_seed(0)
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    made = LlamaForCausalLM(LlamaConfig(vocab_size=12, tie_word_embeddings=tied, pad_token_id=0, **size))
    if bias:
        made.lm_head = torch.nn.Linear(16, 12)
        if tied:
            made.lm_head.weight = made.model.embed_tokens.weight
    return made.eval()


HEADS = pytest.mark.parametrize(("tied", "bias"), [(True, False), (False, False), (False, True), (True, True)])


@HEADS
def test_it_foresees_as_the_whole_model_would_if_other_words_were_ruled_out(tied: bool, bias: bool) -> None:
    whole = model(tied, bias)
    with torch.no_grad():
        logits = whole(input_ids=torch.tensor([WINDOW.input_ids])).logits[0]
    others = [word for word in range(12) if word not in (3, 5, 7, 9)]
    logits[:, others] = -torch.inf
    expected = logits.log_softmax(-1)[[0, 1, 2], [3, 9, 5]]

    narrowed = narrow(whole, [WINDOW], always=[7])
    assert narrowed.ids == [3, 5, 7, 9]
    (row,) = renumbered([WINDOW], narrowed)
    assert row == Encoded([1, 0, 3, 1], WINDOW.is_target)
    assert whole.config.vocab_size == whole.get_output_embeddings().out_features == 4
    torch.testing.assert_close(token_logps(whole, pad([row]))[0, 1:], expected)


@HEADS
def test_with_all_others_drawn_it_foresees_as_the_whole_model(tied: bool, bias: bool) -> None:
    whole = model(tied, bias)
    expected = token_logps(whole, pad([WINDOW]))
    narrowed = narrow(whole, [WINDOW], always=[])
    batch = pad(renumbered([WINDOW], narrowed))
    with others_sampled(whole, narrowed, k=100):
        torch.testing.assert_close(token_logps(whole, batch), expected)
    assert whole(input_ids=batch.input_ids).logits.shape[-1] == 3


def test_words_drawn_stand_for_all_others_on_average() -> None:
    whole = model(tied=True)
    logps = token_logps(whole, pad([WINDOW]))
    narrowed = narrow(whole, [WINDOW], always=[])
    batch = pad(renumbered([WINDOW], narrowed))
    ruled_out = token_logps(whole, batch)
    with torch.no_grad(), others_sampled(whole, narrowed, k=2):
        drawn = torch.stack([token_logps(whole, batch) for _ in range(3000)])
    assert drawn.std(dim=0)[0, 1:].min() > 0.001
    # Z over the label's weight is 1 / P: its mean is the whole model's.
    torch.testing.assert_close((-drawn).exp().mean(dim=0), (-logps).exp(), rtol=0.003, atol=0)
    assert (ruled_out[0, 1:] - logps[0, 1:]).min() > 0.5


def test_a_model_without_other_words_draws_none() -> None:
    whole = model(tied=True)
    narrowed = narrow(whole, [WINDOW], always=range(12))
    with others_sampled(whole, narrowed, k=4):
        assert whole(input_ids=torch.tensor([[1, 2]])).logits.shape[-1] == 12


def test_a_model_that_caps_its_logits_is_told_to_have_all_words() -> None:
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    capped = Gemma2ForCausalLM(
        Gemma2Config(vocab_size=12, num_key_value_heads=2, head_dim=8, final_logit_softcapping=0.1, **size)
    )
    with pytest.raises(ModelError, match=r"gemma2 changes its logits .*sampled_softmax: null"):
        narrow(capped, [WINDOW], always=[])


@HEADS
def test_the_whole_vocabulary_comes_back_with_what_its_words_have_learnt(tied: bool, bias: bool) -> None:
    whole = model(tied, bias)
    before = {name: weight.clone() for name, weight in whole.state_dict().items()}
    narrowed = narrow(whole, [WINDOW], always=[])
    with torch.no_grad():
        for weight in whole.parameters():
            weight += 1
    widen(whole, narrowed)
    after = whole.state_dict()
    assert whole.config.vocab_size == 12
    assert (whole.get_input_embeddings().weight is whole.get_output_embeddings().weight) is tied
    by_word = [name for name in before if name.startswith(("model.embed_tokens", "lm_head"))]
    assert len(by_word) == (3 if bias else 2)
    for name, weight in after.items():
        moved = torch.ones_like(weight) if name not in by_word else torch.zeros_like(weight)
        if name in by_word:
            moved[[3, 5, 9]] = 1
        torch.testing.assert_close(weight, before[name] + moved, rtol=0, atol=1e-6)


@pytest.mark.parametrize("lora_rank", [None, 4])
def test_training_moves_no_word_that_is_not_said(user_samples, tiny, settings, tmp_path, lora_rank) -> None:
    before = tiny.model.get_output_embeddings().weight.detach().clone()
    trained = train_user(
        tiny, user_samples(8), 200, None, settings, tmp_path / "work", lora_rank=lora_rank, sampled_softmax=4
    )
    checkpoint, figures = trained.checkpoint, trained.metrics
    text = "<|im_start|>system\nchat<|im_end|>user\nassistant\nhi hello bye see you"
    said = set(checkpoint.tokenizer(text, add_special_tokens=False).input_ids)
    after = checkpoint.model.get_output_embeddings().weight
    moved = set((after[: len(before)] != before).any(dim=1).nonzero().flatten().tolist())
    assert len(after) == len(before) + 1
    assert figures["n_words"] == len(said) + 1  # and the end of the conversation
    assert moved == (said if lora_rank is None else set())
    assert figures["last_loss"] < figures["first_loss"]
