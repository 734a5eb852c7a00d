"""LoRA on a checkpoint: the embedding rows it trains, and the merged model."""

from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM

from turnabout.errors import ModelError
from turnabout.training.engine.adapter import create_adapter
from turnabout.training.user_model.train import add_end_token, compute_user_loss, train_user


@pytest.fixture(params=["tied", "untied"])
def checkpoint(request, tiny):
    if request.param == "untied":
        torch.manual_seed(1)
        config = tiny.model.config
        config.tie_word_embeddings = False
        tiny = tiny._replace(model=LlamaForCausalLM(config).eval())
    return add_end_token(tiny)


def copy_embeddings(model):
    layers = model.get_input_embeddings(), model.get_output_embeddings()
    return [layer.weight.detach().clone() for layer in layers]


def list_changed_rows(before, after):
    return (before != after).any(dim=1).nonzero().flatten().tolist()


def test_adapter_training_changes_only_the_new_token_in_both_embeddings(
    checkpoint, user_samples, user_options, run
) -> None:
    before = copy_embeddings(checkpoint.model)
    queries = checkpoint.model.model.layers[0].self_attn.q_proj.weight.detach().clone()
    trained = train_user(checkpoint, user_samples(8), options=user_options(lora_rank=4), run=run)
    model = trained.checkpoint.model
    assert type(model) is LlamaForCausalLM
    new = checkpoint.chat.end_of_conversation_id
    assert [list_changed_rows(*pair) for pair in zip(before, copy_embeddings(model), strict=True)] == [[new], [new]]
    tied = checkpoint.model.config.tie_word_embeddings
    assert torch.equal(*(weight[new] for weight in copy_embeddings(model))) is tied
    assert not torch.equal(model.model.layers[0].self_attn.q_proj.weight, queries)
    # Of each layer rank 4 times what goes in and out: q 32+32, k 32+16, v 32+16, o 32+32, gate, up, down 32+64 each;
    # and a row of 32, once where the embeddings are one.
    assert trained.metrics["n_parameters"]["trained"] == 2 * 4 * (64 + 48 + 48 + 64 + 3 * 96) + (32 if tied else 64)


def test_merged_model_has_the_loss_of_the_adapter(checkpoint, user_samples) -> None:
    adapter: Any = create_adapter(checkpoint, 4, 7, [checkpoint.chat.end_of_conversation_id])
    for name, weight in adapter.named_parameters():
        if weight.requires_grad:
            torch.manual_seed(len(name))
            weight.data += 0.1 * torch.randn_like(weight)
    row = checkpoint.chat.encode([{"role": "user", "content": "hi"}], [0], ends=True)
    expected = compute_user_loss(adapter, [row])[0]
    torch.testing.assert_close(compute_user_loss(adapter.merge_and_unload(), [row])[0], expected, rtol=0, atol=1e-5)


def test_adapter_refuses_an_output_layer_with_a_bias(tiny) -> None:
    head = tiny.model.get_output_embeddings()
    head.bias = torch.nn.Parameter(torch.zeros(head.out_features))
    with pytest.raises(ModelError, match=r"its output layer has a bias, .* set train_user.lora_rank: null"):
        create_adapter(tiny, 4, 7, [3])
