"""The user model: what it learns from, how its vocabulary grows, and what is saved."""

import polars as pl
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from turnabout import backbones, schemas
from turnabout.chat_format import END_OF_CONVERSATION
from turnabout.errors import DataError
from turnabout.logps import pad, token_logps
from turnabout.training.user import save_user, train_user, user_loss, with_end_token
from turnabout.training.windows import windows

TALK = [("user", "hi"), ("assistant", "hello"), ("user", "bye"), ("assistant", "see you")]


def samples(n, **columns):
    row = {
        "user_key": "ann",
        "split": "train",
        "intent": "chat",
        "messages": [{"role": role, "content": content} for role, content in TALK],
        "target_indexes": [0, 2],
        "ends": True,
        **columns,
    }
    return pl.DataFrame([{"conversation_id": f"c{i}", **row} for i in range(n)], schema=schemas.USER_SAMPLES)


def test_the_new_token_is_not_special_and_begins_as_a_copy_of_the_end_of_turn(tiny) -> None:
    before = tiny.model.get_input_embeddings().weight.detach().clone()
    grown = with_end_token(tiny)
    weight = grown.model.get_input_embeddings().weight
    new = grown.chat.end_of_conversation_id
    assert weight.shape[0] == before.shape[0] + 1 == new + 1
    assert torch.equal(weight[new], before[grown.chat.end_of_turn_id])
    assert torch.equal(grown.model.get_output_embeddings().weight[new], before[grown.chat.end_of_turn_id])
    assert torch.equal(weight[:new], before)
    assert grown.tokenizer.decode([new], skip_special_tokens=True) == END_OF_CONVERSATION
    assert with_end_token(grown) is grown


def test_one_sequence_per_conversation_has_the_gradient_of_one_sample_per_turn(tiny) -> None:
    checkpoint = with_end_token(tiny)

    def gradient(rows):
        checkpoint.model.zero_grad()
        for row in rows:
            token_logps(checkpoint.model, pad([row])).sum().backward()
        return torch.cat([parameter.grad.flatten() for parameter in checkpoint.model.parameters()])

    sample = samples(1).row(0, named=True)
    (whole,), _ = windows(checkpoint.chat, sample, 200)
    head = {"role": "system", "content": "chat"}
    said = [head, *sample["messages"]]
    per_turn = [
        checkpoint.chat.encode(said[:2], [1]),
        checkpoint.chat.encode(said[:4], [3]),
        checkpoint.chat.encode(said, ends=True),
    ]
    together, apart = gradient([whole]), gradient(per_turn)
    assert together.abs().max() > 0.1
    torch.testing.assert_close(together, apart, rtol=0, atol=1e-5)


def test_loss_is_the_mean_over_target_tokens_not_over_conversations(tiny) -> None:
    checkpoint = with_end_token(tiny)
    short = checkpoint.chat.encode([{"role": "user", "content": "a"}], [0])  # 2 targets
    long = checkpoint.chat.encode([{"role": "user", "content": "abcdefg"}], [0])  # 8 targets
    loss, metrics = user_loss(checkpoint.model, [short, long])
    expected = (2 * user_loss(checkpoint.model, [short])[0] + 8 * user_loss(checkpoint.model, [long])[0]) / 10
    torch.testing.assert_close(loss, expected)
    assert metrics == {"tokens": 9 + 15}


def test_training_lowers_the_loss_and_counts_what_it_read(tiny, settings, tmp_path) -> None:
    trained = train_user(tiny, samples(8), 200, None, settings._replace(epochs=3), tmp_path / "work")
    figures = trained.metrics
    # per row: system 4 + 10, "hi" 2 + 8, "hello" 5 + 13, "bye" 3 + 8, "see you" 7 + 13, end 9 = 82 tokens;
    # targets: "hi" 2 + 1, "bye" 3 + 1, end 1 + 1 = 9
    assert figures["n_samples"] == figures["n_windows"] == 8
    assert figures["n_tokens"] == 8 * 82
    assert figures["n_target_tokens"] == 8 * 9
    assert figures["steps"] == 12
    assert figures["dropped_by_reason"] == {}
    assert figures["last_loss"] < figures["first_loss"]
    assert trained.history["tokens"][-1] == 3 * 8 * 82


def test_only_the_train_split_is_read(tiny, settings, tmp_path) -> None:
    both = pl.concat([samples(2), samples(3, split="test")])
    assert train_user(tiny, both, 200, None, settings, tmp_path / "work").metrics["n_samples"] == 2


def test_a_token_budget_takes_whole_windows_and_counts_the_rest(tiny, settings, tmp_path) -> None:
    figures = train_user(tiny, samples(8), 200, 3 * 82 + 81, settings, tmp_path / "work").metrics
    assert figures["n_windows"] == 3
    assert figures["dropped_by_reason"] == {"window beyond max_tokens": 5}


def test_nothing_to_learn_is_an_error_that_says_why(tiny, settings, tmp_path) -> None:
    with pytest.raises(DataError, match=r"none of 2 training conversations .*'turn longer than max_length': 6"):
        train_user(tiny, samples(2), 20, None, settings, tmp_path / "work")


def test_saved_model_is_a_plain_folder_that_knows_the_token_and_the_standard_template(tiny, tmp_path) -> None:
    template = tiny.tokenizer.chat_template
    save_user(with_end_token(tiny), tmp_path / "user")
    names = {path.name for path in (tmp_path / "user").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
    assert "training_args.bin" not in names
    loaded = backbones.load(tmp_path / "user")
    assert loaded.chat.end_of_conversation_id is not None
    assert loaded.tokenizer.chat_template == template
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "user").dtype == torch.bfloat16
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "user")
    assert tokenizer.decode(tokenizer(END_OF_CONVERSATION).input_ids, skip_special_tokens=True) == END_OF_CONVERSATION
