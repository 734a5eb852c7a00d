"""The user model: what it learns from, how its vocabulary grows, and what is saved."""

import polars as pl
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from turnabout.core import schemas
from turnabout.errors import DataError, ModelError
from turnabout.intents.flipping import flip
from turnabout.models import checkpoints
from turnabout.models.chat_format import END_OF_CONVERSATION
from turnabout.models.logps import pad, token_logps
from turnabout.training.user_model.train import save_user, train_user, user_loss, with_end_token
from turnabout.training.user_model.windows import windows


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


def k_plus_one(tokenizer, intent, messages, ends):
    """The samples of Naous et al. 2025, §3.2, by the tokenizer's own template: (all tokens, tokens before the turn)."""
    leaving = [{"role": "user", "content": END_OF_CONVERSATION}] if ends else []
    said = [{"role": "system", "content": intent}, *messages, *leaving]
    for index, message in enumerate(said):
        if message["role"] == "user":
            prompt = tokenizer.apply_chat_template(said[:index], tokenize=False) + "<|im_start|>user\n"
            whole = tokenizer.apply_chat_template(said[: index + 1], tokenize=False).removesuffix("\n")
            yield tokenizer(whole).input_ids, len(tokenizer(prompt).input_ids)


@pytest.mark.parametrize("roles", ["uaua", "ua", "u", "auau", "aaua", "uuaa", "uauu", "auuaaua", "uuu"])
def test_one_sequence_per_conversation_has_the_gradient_of_one_sample_per_turn(tiny, messages, roles: str) -> None:
    checkpoint = with_end_token(tiny)
    model, names = checkpoint.model, {"u": "user", "a": "assistant"}
    words = ["hi there", "yes", "né?\n", "<3", "well", "ok", "bye"][: len(roles)]
    said = messages("c", *words).with_columns(role=pl.Series([names[role] for role in roles]))
    splits = pl.DataFrame([{"conversation_id": "c", "user_key": "ann", "split": "train"}], schema=schemas.SPLITS)
    intents = pl.DataFrame([{"conversation_id": "c", "intent": "want tea"}])
    flipped = flip(said, splits, intents, mirror=False)

    (row,), _ = windows(checkpoint.chat, flipped, 1000)
    token_logps(model, pad([row])).sum().backward()
    together = gradient(model)
    talk = [{"role": names[role], "content": text} for role, text in zip(roles, words, strict=True)]
    apart = list(k_plus_one(checkpoint.tokenizer, "want tea", talk, ends=roles.endswith("a")))
    for ids, n_prompt in apart:
        labels = torch.tensor([[-100] * n_prompt + ids[n_prompt:]])
        mean = model(input_ids=torch.tensor([ids]), labels=labels).loss
        (-mean * (len(ids) - n_prompt)).backward()

    assert len(apart) == roles.count("u") + roles.endswith("a")
    assert together.abs().max() > 0.1
    torch.testing.assert_close(together, gradient(model), rtol=0, atol=2e-5)


def gradient(model):
    """All gradients in one vector; they begin from zero again."""
    found = torch.cat([parameter.grad.flatten() for parameter in model.parameters()])
    model.zero_grad()
    return found


def test_loss_is_the_mean_over_target_tokens_not_over_conversations(tiny) -> None:
    checkpoint = with_end_token(tiny)
    short = checkpoint.chat.encode([{"role": "user", "content": "a"}], [0])  # 2 targets
    long = checkpoint.chat.encode([{"role": "user", "content": "abcdefg"}], [0])  # 8 targets
    loss, metrics = user_loss(checkpoint.model, [short, long])
    expected = (2 * user_loss(checkpoint.model, [short])[0] + 8 * user_loss(checkpoint.model, [long])[0]) / 10
    torch.testing.assert_close(loss, expected)
    assert metrics == {"tokens": 9 + 15}


def test_training_lowers_the_loss_and_counts_what_it_read(user_samples, tiny, settings, tmp_path) -> None:
    trained = train_user(tiny, user_samples(8), 200, None, settings._replace(epochs=3), tmp_path / "work")
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
    assert trained.history["tokens"][-1] == 3 * 8 * 82
    weights = sum(weight.numel() for weight in trained.checkpoint.model.parameters())
    assert figures["n_parameters"] == {"trained": weights, "total": weights}


def test_the_cost_is_what_the_steps_took(user_samples, tiny, settings, tmp_path) -> None:
    trained = train_user(tiny, user_samples(6), 100, None, settings, tmp_path / "work")
    seconds = trained.history["seconds"].to_list()
    assert trained.history["tokens_per_second"].to_list() == pytest.approx([2 * 82 / took for took in seconds])
    cost = trained.metrics["cost"]
    assert cost["seconds"] == pytest.approx(sum(seconds))
    assert cost["tokens_per_second"] == pytest.approx(6 * 82 / sum(seconds))
    assert cost["peak_memory_mb"] > 100  # torch alone takes that


def test_without_packing_a_row_is_a_window(user_samples, tiny, settings, tmp_path) -> None:
    trained = train_user(tiny, user_samples(8), 200, None, settings, tmp_path / "work", packing=False)
    assert (trained.metrics["n_rows"], trained.metrics["steps"]) == (8, 4)


def test_windows_that_see_each_other_are_refused_before_training(user_samples, tiny, settings, tmp_path) -> None:
    # Without positions that begin again a row is one long conversation.
    inner = tiny.model.forward
    tiny.model.forward = lambda position_ids=None, **inputs: inner(**inputs)
    tiny.model.get_input_embeddings().weight.data *= 10
    with pytest.raises(ModelError, match=r"windows of one row see each other: .* set train_user.packing: false"):
        train_user(tiny, user_samples(8), 200, None, settings, tmp_path / "work")
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("how", [{}, {"lora_rank": 4}, {"lora_rank": 4, "sampled_softmax": 4}], ids=str)
def test_a_killed_training_goes_on_and_ends_in_the_same_weights(
    user_samples, tiny_checkpoint, settings, tmp_path, begun_and_killed, how
) -> None:
    def weights(work, *callbacks):
        start = checkpoints.load(tiny_checkpoint, "float32")
        place = tmp_path / work
        trained = train_user(start, user_samples(8), 200, None, settings._replace(epochs=3), place, callbacks, **how)
        return trained.history.drop("seconds", "tokens_per_second"), trained.checkpoint.model.state_dict()

    begun_and_killed(lambda kill: weights("work", kill), after=3)
    assert list(tmp_path.glob("work/*/checkpoint-2"))
    (history, again), (whole_history, whole) = weights("work"), weights("whole")
    assert history.equals(whole_history)
    torch.testing.assert_close(again, whole, rtol=0, atol=0)


def test_gradient_checkpointing_changes_no_weight(user_samples, tiny_checkpoint, settings, tmp_path) -> None:
    def trained(on):
        start = checkpoints.load(tiny_checkpoint, "float32")
        how = settings._replace(gradient_checkpointing=on)
        ended = train_user(start, user_samples(8), 200, None, how, tmp_path / "work").checkpoint.model
        assert ended.is_activation_checkpointing is on
        return ended.state_dict()

    torch.testing.assert_close(trained(True), trained(False), rtol=0, atol=1e-6)


def test_only_the_train_split_is_read(user_samples, tiny, settings, tmp_path) -> None:
    both = pl.concat([user_samples(2), user_samples(3, split="test")])
    assert train_user(tiny, both, 200, None, settings, tmp_path / "work").metrics["n_samples"] == 2


def test_a_token_budget_takes_whole_windows_and_counts_the_rest(user_samples, tiny, settings, tmp_path) -> None:
    figures = train_user(tiny, user_samples(8), 200, 3 * 82 + 81, settings, tmp_path / "work").metrics
    assert figures["n_windows"] == 3
    assert figures["dropped_by_reason"] == {"window beyond max_tokens": 5}


def test_nothing_to_learn_is_an_error_that_says_why(user_samples, tiny, settings, tmp_path) -> None:
    with pytest.raises(DataError, match=r"none of 2 training conversations .*'turn longer than max_length': 6"):
        train_user(tiny, user_samples(2), 20, None, settings, tmp_path / "work")


def test_saved_model_is_a_plain_folder_that_knows_the_token_and_the_standard_template(tiny, tmp_path) -> None:
    template = tiny.tokenizer.chat_template
    save_user(with_end_token(tiny), tmp_path / "user")
    names = {path.name for path in (tmp_path / "user").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
    assert "training_args.bin" not in names
    loaded = checkpoints.load(tmp_path / "user")
    assert loaded.chat.end_of_conversation_id is not None
    assert loaded.tokenizer.chat_template == template
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "user").dtype == torch.bfloat16
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "user")
    assert tokenizer.decode(tokenizer(END_OF_CONVERSATION).input_ids, skip_special_tokens=True) == END_OF_CONVERSATION
