"""Shared beginnings read once must change no answer, whatever is shared and however layers look back."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, Lfm2Config, Lfm2ForCausalLM

from turnabout.core.messages import Message
from turnabout.generation import Sampling
from turnabout.generation.local import generator
from turnabout.generation.local.generator import LocalGenerator
from turnabout.generation.local.prefill import prefill_cache
from turnabout.models.checkpoints import Checkpoint, load_checkpoint

INSTRUCTION = "Answer in one short line, and be kind to everybody who asks."
QUESTIONS = ("who?", "what is a fjord and where can I see one", "hi")


@pytest.fixture
def checkpoint(tiny_checkpoint: Path) -> Checkpoint:
    return load_checkpoint(tiny_checkpoint, "float32")


def prompt(question: str, instruction: str = "Hm.") -> list[Message]:
    return [{"role": "system", "content": instruction}, {"role": "user", "content": question}]


CASES = {
    "draws of one prompt": [prompt(question) for question in QUESTIONS for _ in range(2)],
    "one instruction": [prompt(question, INSTRUCTION) for question in QUESTIONS],
    "both": [prompt(question, INSTRUCTION) for question in QUESTIONS for _ in range(2)],
    "one prompt only": [prompt("who?")] * 3,
    "a prompt that is the beginning of another": [
        [*prompt("who?", INSTRUCTION), *rest]
        for rest in ([], [Message(role="assistant", content="me"), Message(role="user", content="why?")])
    ],
}


def cached(checkpoint: Checkpoint, prompts: list[list[Message]], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What `prefill` gave for each batch of a call."""
    given: list[Any] = []

    def spy(*arguments: Any) -> Any:
        given.append(prefill_cache(*arguments))
        return given[-1]

    monkeypatch.setattr(generator, "prefill", spy)
    LocalGenerator(checkpoint, "assistant", 8).generate(prompts, Sampling(1))
    return given


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_answers_are_those_of_every_row_read_alone(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, case: str, temperature: float
) -> None:
    writer, sampling = LocalGenerator(checkpoint, "assistant", 8), Sampling(8, temperature)
    assert cached(checkpoint, CASES[case], monkeypatch)[0] is not None  # something was shared
    monkeypatch.setattr(generator, "prefill", prefill_cache)
    shared = writer.generate(CASES[case], sampling)
    monkeypatch.setattr(generator, "prefill", lambda *_: None)
    assert writer.generate(CASES[case], sampling) == shared


def test_each_distinct_token_is_read_once(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[int, ...]] = []
    forward = checkpoint.model.forward

    def counting(**inputs: Any) -> Any:
        read.append(tuple(inputs["input_ids"].shape))
        return forward(**inputs)

    monkeypatch.setattr(checkpoint.model, "forward", counting)
    LocalGenerator(checkpoint, "assistant", 8).generate(CASES["both"], Sampling(1))
    rows = [checkpoint.chat.encode_prompt(p, "assistant") for p in CASES["both"]]
    first = len(checkpoint.chat.encode_prompt(prompt("", INSTRUCTION), "assistant"))
    opening = first - len(checkpoint.chat.encode_prompt([], "assistant")) - 2  # the turn's end and its line feed
    width = max(map(len, rows))
    # The instruction once, the rest of three prompts but for the last token, and that of all six.
    assert read == [(1, opening), (3, width - 1 - opening), (6, 1)]


def test_prompts_that_share_little_are_read_as_ever(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cached(checkpoint, [prompt(question) for question in QUESTIONS], monkeypatch) == [None]


COMMON = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}


def test_layers_that_see_a_window_share_draws(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    kinds = ["sliding_attention", "full_attention"]
    model = Gemma3ForCausalLM(Gemma3TextConfig(**COMMON, head_dim=8, sliding_window=8, layer_types=kinds)).eval()
    windowed = checkpoint._replace(model=model)
    for case in ("draws of one prompt", "both"):
        writer = LocalGenerator(windowed, "assistant", 8)
        monkeypatch.setattr(generator, "prefill", prefill_cache)
        shared = writer.generate(CASES[case], Sampling(12))
        monkeypatch.setattr(generator, "prefill", lambda *_: None)
        assert writer.generate(CASES[case], Sampling(12)) == shared
    assert cached(windowed, CASES["draws of one prompt"], monkeypatch)[0] is not None


def test_a_model_with_other_layers_shares_nothing(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = Lfm2ForCausalLM(Lfm2Config(**COMMON, layer_types=["conv", "full_attention"])).eval()
    assert cached(checkpoint._replace(model=model), CASES["both"], monkeypatch) == [None]
