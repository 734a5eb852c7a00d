"""The user model: targets, vocabulary, training, and saving."""

import polars as pl
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from turnabout.core import schemas
from turnabout.errors import DataError, ModelError
from turnabout.intents.flipping import flip_conversations
from turnabout.models import checkpoints
from turnabout.models.chat_format import END_OF_CONVERSATION
from turnabout.models.logps import compute_token_logps, pad_rows
from turnabout.training.user_model.train import add_end_token, compute_user_loss, save_user, train_user
from turnabout.training.user_model.windows import cut_windows


def test_end_token_is_not_special_and_copies_the_end_of_turn(tiny) -> None:
    before = tiny.model.get_input_embeddings().weight.detach().clone()
    grown = add_end_token(tiny)
    weight = grown.model.get_input_embeddings().weight
    new = grown.chat.end_of_conversation_id
    assert isinstance(weight, torch.Tensor)
    assert new is not None
    assert weight.shape[0] == before.shape[0] + 1 == new + 1
    assert torch.equal(weight[new], before[grown.chat.end_of_turn_id])
    assert torch.equal(grown.model.get_output_embeddings().weight[new], before[grown.chat.end_of_turn_id])
    assert torch.equal(weight[:new], before)
    assert grown.tokenizer.decode([new], skip_special_tokens=True) == END_OF_CONVERSATION
    assert add_end_token(grown) is grown


def build_k_plus_one_samples(tokenizer, intent, messages, ends):
    """Yield the samples of Naous et al. 2025, §3.2.

    The tokenizer's own template makes them. Each is (all token ids, number of tokens before the turn).
    """
    end = [{"role": "user", "content": END_OF_CONVERSATION}] if ends else []
    conversation = [{"role": "system", "content": intent}, *messages, *end]
    for index, message in enumerate(conversation):
        if message["role"] == "user":
            prompt = tokenizer.apply_chat_template(conversation[:index], tokenize=False) + "<|im_start|>user\n"
            whole = tokenizer.apply_chat_template(conversation[: index + 1], tokenize=False).removesuffix("\n")
            yield tokenizer(whole).input_ids, len(tokenizer(prompt).input_ids)


@pytest.mark.parametrize("roles", ["uaua", "ua", "u", "auau", "aaua", "uuaa", "uauu", "auuaaua", "uuu"])
def test_sequence_per_conversation_has_the_gradient_of_a_sample_per_turn(tiny, messages, roles: str) -> None:
    checkpoint = add_end_token(tiny)
    model, names = checkpoint.model, {"u": "user", "a": "assistant"}
    texts = ["hi there", "yes", "né?\n", "<3", "well", "ok", "bye"][: len(roles)]
    log = messages("c", *texts).with_columns(role=pl.Series([names[role] for role in roles]))
    splits = pl.DataFrame([{"conversation_id": "c", "user_key": "ann", "split": "train"}], schema=schemas.SPLITS)
    intents = pl.DataFrame([{"conversation_id": "c", "intent": "want tea"}])
    flipped = flip_conversations(log, splits, intents, mirror=False)

    (row,), _ = cut_windows(checkpoint.chat, flipped, 1000)
    compute_token_logps(model, pad_rows([row])).sum().backward()
    together = take_gradient(model)
    talk = [{"role": names[role], "content": text} for role, text in zip(roles, texts, strict=True)]
    apart = list(build_k_plus_one_samples(checkpoint.tokenizer, "want tea", talk, ends=roles.endswith("a")))
    for ids, n_prompt in apart:
        labels = torch.tensor([[-100] * n_prompt + ids[n_prompt:]])
        mean = model(input_ids=torch.tensor([ids]), labels=labels).loss
        (-mean * (len(ids) - n_prompt)).backward()

    assert len(apart) == roles.count("u") + roles.endswith("a")
    assert together.abs().max() > 0.1
    torch.testing.assert_close(together, take_gradient(model), rtol=0, atol=2e-5)


def take_gradient(model):
    """Return all gradients in one vector, and reset them to zero."""
    gradient = torch.cat([parameter.grad.flatten() for parameter in model.parameters()])
    model.zero_grad()
    return gradient


def test_user_loss_is_the_mean_over_target_tokens_of_the_batch(tiny) -> None:
    checkpoint = add_end_token(tiny)
    short = checkpoint.chat.encode([{"role": "user", "content": "a"}], [0])  # 2 targets
    long = checkpoint.chat.encode([{"role": "user", "content": "abcdefg"}], [0])  # 8 targets
    loss, metrics = compute_user_loss(checkpoint.model, [short, long])
    expected = (
        2 * compute_user_loss(checkpoint.model, [short])[0] + 8 * compute_user_loss(checkpoint.model, [long])[0]
    ) / 10
    torch.testing.assert_close(loss, expected)
    assert metrics == {"tokens": 9 + 15}


def test_training_lowers_the_loss_and_counts_its_data(user_samples, tiny, user_options, run) -> None:
    trained = train_user(tiny, user_samples(8), options=user_options(epochs=3), run=run)
    figures = trained.metrics
    # per row: system 4 + 10, "hi" 2 + 8, "hello" 5 + 13, "bye" 3 + 8, "see you" 7 + 13, end 9 = 82 tokens;
    # targets: "hi" 2 + 1, "bye" 3 + 1, end 1 + 1 = 9
    assert figures["n_samples"] == figures["n_windows"] == 8
    assert figures["n_tokens"] == 8 * 82
    assert figures["n_target_tokens"] == 8 * 9
    # two windows in a row of 200 tokens, two rows in a step, three epochs
    assert (figures["n_rows"], figures["steps"]) == (4, 6)
    assert figures["dropped_by_reason"] == {}
    assert figures["last_loss"] < figures["first_loss"]
    assert figures["n_trained_tokens"] == trained.history["tokens"][-1] == 3 * 8 * 82
    weights = sum(weight.numel() for weight in trained.checkpoint.model.parameters())
    assert figures["n_parameters"] == {"trained": weights, "total": weights}


def test_row_is_a_window_without_packing(user_samples, tiny, user_options, run) -> None:
    trained = train_user(tiny, user_samples(8), options=user_options(packing=False), run=run)
    assert (trained.metrics["n_rows"], trained.metrics["steps"]) == (8, 4)


def test_training_refuses_windows_that_see_each_other(user_samples, tiny, user_options, run) -> None:
    # Without positions that restart, a row is one long conversation.
    inner = tiny.model.forward
    tiny.model.forward = lambda position_ids=None, **inputs: inner(**inputs)
    tiny.model.get_input_embeddings().weight.data *= 10
    with pytest.raises(ModelError, match=r"windows of one row see each other: .* set train_user.packing: false"):
        train_user(tiny, user_samples(8), options=user_options(), run=run)
    assert not run.work.exists()


@pytest.mark.parametrize("changes", [{}, {"lora_rank": 4}, {"lora_rank": 4, "sampled_softmax": 4}], ids=str)
def test_killed_training_resumes_and_ends_in_the_same_weights(
    user_samples, tiny_checkpoint, user_options, run, tmp_path, kill_training, changes
) -> None:
    def train(work, *callbacks):
        start = checkpoints.load_checkpoint(tiny_checkpoint, "float32")
        own_run = run._replace(work=tmp_path / work, callbacks=callbacks)
        trained = train_user(start, user_samples(8), options=user_options(epochs=3, **changes), run=own_run)
        return trained.history.drop("seconds"), trained.checkpoint.model.state_dict()

    kill_training(lambda kill: train("work", kill), after=3)
    assert list(tmp_path.glob("work/*/checkpoint-2"))
    (history, weights), (whole_history, whole_weights) = train("work"), train("whole")
    assert history.equals(whole_history)
    torch.testing.assert_close(weights, whole_weights, rtol=0, atol=0)


def test_gradient_checkpointing_changes_no_weight(user_samples, tiny_checkpoint, user_options, run) -> None:
    def train(enabled):
        start = checkpoints.load_checkpoint(tiny_checkpoint, "float32")
        options = user_options(gradient_checkpointing=enabled)
        model = train_user(start, user_samples(8), options=options, run=run).checkpoint.model
        assert model.is_activation_checkpointing is enabled
        return model.state_dict()

    torch.testing.assert_close(train(True), train(False), rtol=0, atol=1e-6)


def test_training_reads_only_the_train_split(user_samples, tiny, user_options, run) -> None:
    both = pl.concat([user_samples(2), user_samples(3, split="test")])
    assert train_user(tiny, both, options=user_options(), run=run).metrics["n_samples"] == 2


def test_max_tokens_takes_whole_windows_and_counts_the_rest(user_samples, tiny, user_options, run) -> None:
    options = user_options(max_tokens=3 * 82 + 81)
    figures = train_user(tiny, user_samples(8), options=options, run=run).metrics
    assert figures["n_windows"] == 3
    assert figures["dropped_by_reason"] == {"window beyond max_tokens": 5}


def test_training_without_a_usable_window_is_an_error(user_samples, tiny, user_options, run) -> None:
    with pytest.raises(DataError, match=r"none of 2 training conversations .*'turn longer than max_length': 6"):
        train_user(tiny, user_samples(2), options=user_options(max_length=20), run=run)


def test_saved_model_is_a_hugging_face_folder_with_the_end_token(tiny, tmp_path) -> None:
    template = tiny.tokenizer.chat_template
    save_user(add_end_token(tiny), tmp_path / "user")
    names = {path.name for path in (tmp_path / "user").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
    assert "training_args.bin" not in names
    loaded = checkpoints.load_checkpoint(tmp_path / "user")
    assert loaded.chat.end_of_conversation_id is not None
    assert loaded.tokenizer.chat_template == template
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "user").dtype == torch.bfloat16
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "user")
    assert tokenizer.decode(tokenizer(END_OF_CONVERSATION).input_ids, skip_special_tokens=True) == END_OF_CONVERSATION
