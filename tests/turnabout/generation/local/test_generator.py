"""Tests of the local generator on a tiny random model."""

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


def decode_greedily(checkpoint: Checkpoint, prompt: list[Message], n: int) -> str:
    """Return the argmax continuation of one prompt.

    Computed token by token, without cache or padding.
    """
    ids = checkpoint.chat.encode_prompt(prompt, "assistant")
    new: list[int] = []
    for _ in range(n):
        token = int(checkpoint.model(torch.tensor([ids + new])).logits[0, -1].argmax())
        if token == checkpoint.chat.end_of_turn_id:
            break
        new.append(token)
    return str(checkpoint.tokenizer.decode(new, skip_special_tokens=True)).strip()


def test_padded_batches_give_the_answers_of_single_prompts(checkpoint: Checkpoint) -> None:
    answers = LocalGenerator(checkpoint, "assistant", batch_size=2).generate(PROMPTS, Sampling(6))
    assert [a.text for a in answers] == [decode_greedily(checkpoint, p, 6) for p in PROMPTS]


def test_draws_depend_on_the_seed_only(checkpoint: Checkpoint) -> None:
    generator = LocalGenerator(checkpoint, "assistant", batch_size=3)
    first, again, other = (generator.generate(PROMPTS, Sampling(8, 1.0, seed=s)) for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_every_answer_begins_with_the_prefill(checkpoint: Checkpoint) -> None:
    answers = LocalGenerator(checkpoint, "assistant", 3).generate(PROMPTS, Sampling(3, prefill="Because"))
    assert all(a.text.startswith("Because") for a in answers)


def test_user_model_ends_the_conversation_only_when_allowed(checkpoint: Checkpoint) -> None:
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
    monkeypatch.setattr(LocalGenerator, "_draw", lambda *_: pytest.fail("generated again"))
    assert LocalGenerator(checkpoint, "assistant", 2, store).generate(PROMPTS, Sampling(4)) == first


def test_stored_answers_belong_to_one_model(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    AnswerStore(path, "one").put(["q"], [Completion("a", truncated=True)])
    assert AnswerStore(path, "one").get(["q"]) == [Completion("a", truncated=True)]
    assert AnswerStore(path, "two").get(["q"]) is None
