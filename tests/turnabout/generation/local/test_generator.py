"""The local generator on a tiny random model: order, repeatability, prefill, the store."""

from pathlib import Path

import pytest
import torch

from turnabout.core.messages import Message
from turnabout.generation import Completion, Sampling
from turnabout.generation.local.generator import LocalGenerator
from turnabout.generation.store import AnswerStore
from turnabout.models.checkpoints import Checkpoint, load_checkpoint

PROMPTS: list[list[Message]] = [
    [{"role": "user", "content": text}] for text in ("a much longer question than the other ones", "hi", "what now?")
]


@pytest.fixture
def checkpoint(tiny_checkpoint: Path) -> Checkpoint:
    return load_checkpoint(tiny_checkpoint, "float32")


def greedy_by_hand(checkpoint: Checkpoint, prompt: list[Message], n: int) -> str:
    """The argmax continuation of one prompt, a token at a time, without cache or padding."""
    ids = checkpoint.chat.encode_prompt(prompt, "assistant")
    new: list[int] = []
    for _ in range(n):
        token = int(checkpoint.model(torch.tensor([ids + new])).logits[0, -1].argmax())
        if token == checkpoint.chat.end_of_turn_id:
            break
        new.append(token)
    return checkpoint.tokenizer.decode(new, skip_special_tokens=True).strip()


def test_padded_batches_answer_in_order_and_as_one_by_one(checkpoint: Checkpoint) -> None:
    answers = LocalGenerator(checkpoint, "assistant", batch_size=2).generate(PROMPTS, Sampling(6))
    assert [a.text for a in answers] == [greedy_by_hand(checkpoint, p, 6) for p in PROMPTS]


def test_the_same_seed_draws_the_same_and_another_seed_does_not(checkpoint: Checkpoint) -> None:
    generator = LocalGenerator(checkpoint, "assistant", batch_size=3)
    first, again, other = (generator.generate(PROMPTS, Sampling(8, 1.0, seed=s)) for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_the_prefill_begins_every_answer(checkpoint: Checkpoint) -> None:
    answers = LocalGenerator(checkpoint, "assistant", 3).generate(PROMPTS, Sampling(3, prefill="Because"))
    assert all(a.text.startswith("Because") for a in answers)


def test_a_user_model_leaves_by_its_end_token_and_only_when_it_may(checkpoint: Checkpoint) -> None:
    checkpoint.tokenizer.add_tokens(["<|endconversation|>"])
    end = len(checkpoint.tokenizer) - 1
    checkpoint.model.resize_token_embeddings(end + 1)
    with torch.no_grad():  # make the end token the likeliest next token everywhere
        checkpoint.model.lm_head = torch.nn.Linear(32, end + 1)
        checkpoint.model.lm_head.weight.zero_()
        checkpoint.model.lm_head.bias.zero_()[end] = 9.0
    fresh = checkpoint._replace(chat=type(checkpoint.chat).from_tokenizer(checkpoint.tokenizer))
    generator = LocalGenerator(fresh, "user", 3)
    assert generator.generate(PROMPTS, Sampling(3)) == [Completion("", ended=True)] * 3
    assert not any(a.ended for a in generator.generate(PROMPTS, Sampling(3, may_end=False)))


def test_stored_batches_are_not_generated_again(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = AnswerStore(tmp_path / "answers.sqlite", "model-hash")
    first = LocalGenerator(checkpoint, "assistant", 2, store).generate(PROMPTS, Sampling(4))
    monkeypatch.setattr(LocalGenerator, "_draw", lambda *_: pytest.fail("asked the model again"))
    assert LocalGenerator(checkpoint, "assistant", 2, store).generate(PROMPTS, Sampling(4)) == first


def test_an_answer_of_one_model_is_not_an_answer_of_another(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    AnswerStore(path, "one").put(["q"], [Completion("a", truncated=True)])
    assert AnswerStore(path, "one").get(["q"]) == [Completion("a", truncated=True)]
    assert AnswerStore(path, "two").get(["q"]) is None
