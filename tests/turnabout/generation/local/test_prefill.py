"""Tests that computing shared prefixes once changes no answer."""

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
    "a prompt that is the prefix of another": [
        [*prompt("who?", INSTRUCTION), *rest]
        for rest in ([], [Message(role="assistant", content="me"), Message(role="user", content="why?")])
    ],
}


def record_caches(checkpoint: Checkpoint, prompts: list[list[Message]], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return what `prefill_cache` returned for each batch of a call."""
    caches: list[Any] = []

    def spy(*arguments: Any) -> Any:
        caches.append(prefill_cache(*arguments))
        return caches[-1]

    monkeypatch.setattr(generator, "prefill_cache", spy)
    LocalGenerator(checkpoint, "assistant", 8).generate(prompts, Sampling(1))
    return caches


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_shared_prefixes_change_no_answer(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, case: str, temperature: float
) -> None:
    model, sampling = LocalGenerator(checkpoint, "assistant", 8), Sampling(8, temperature)
    assert record_caches(checkpoint, CASES[case], monkeypatch)[0] is not None  # something was shared
    monkeypatch.setattr(generator, "prefill_cache", prefill_cache)
    shared = model.generate(CASES[case], sampling)
    monkeypatch.setattr(generator, "prefill_cache", lambda *_: None)
    assert model.generate(CASES[case], sampling) == shared


def test_each_distinct_token_is_computed_once(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    forward = checkpoint.model.forward

    def record_shape(**inputs: Any) -> Any:
        shapes.append(tuple(inputs["input_ids"].shape))
        return forward(**inputs)

    monkeypatch.setattr(checkpoint.model, "forward", record_shape)
    LocalGenerator(checkpoint, "assistant", 8).generate(CASES["both"], Sampling(1))
    rows = [checkpoint.chat.encode_prompt(p, "assistant") for p in CASES["both"]]
    first = len(checkpoint.chat.encode_prompt(prompt("", INSTRUCTION), "assistant"))
    opening = first - len(checkpoint.chat.encode_prompt([], "assistant")) - 2  # the turn's end and its line feed
    width = max(map(len, rows))
    # The instruction once, the rest of three prompts without the last token, and the last token of all six.
    assert shapes == [(1, opening), (3, width - 1 - opening), (6, 1)]


def test_short_shared_prefix_gives_no_cache(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    assert record_caches(checkpoint, [prompt(question) for question in QUESTIONS], monkeypatch) == [None]


COMMON: dict[str, Any] = {
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


def test_sliding_window_layers_share_repeated_prompts(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    kinds = ["sliding_attention", "full_attention"]
    model = Gemma3ForCausalLM(Gemma3TextConfig(**COMMON, head_dim=8, sliding_window=8, layer_types=kinds)).eval()
    windowed = checkpoint._replace(model=model)
    for case in ("draws of one prompt", "both"):
        windowed_generator = LocalGenerator(windowed, "assistant", 8)
        monkeypatch.setattr(generator, "prefill_cache", prefill_cache)
        shared = windowed_generator.generate(CASES[case], Sampling(12))
        monkeypatch.setattr(generator, "prefill_cache", lambda *_: None)
        assert windowed_generator.generate(CASES[case], Sampling(12)) == shared
    assert record_caches(windowed, CASES["draws of one prompt"], monkeypatch)[0] is not None


def test_model_with_other_layers_gets_no_cache(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = Lfm2ForCausalLM(Lfm2Config(**COMMON, layer_types=["conv", "full_attention"])).eval()
    assert record_caches(checkpoint._replace(model=model), CASES["both"], monkeypatch) == [None]
