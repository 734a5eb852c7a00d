"""Tests of the vLLM generator with a fake of vLLM 0.33's interface."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from transformers import AutoTokenizer

from turnabout.core.messages import Message
from turnabout.errors import ModelError
from turnabout.generation import Completion, Sampling
from turnabout.generation.base import TurnScore
from turnabout.generation.config import OpenContext
from turnabout.generation.vllm.config import VLLM
from turnabout.generation.vllm.engine import VLLMGenerator
from turnabout.models.chat_format import ChatFormat

HI: list[Message] = [{"role": "user", "content": "hi"}]
WHO: list[Message] = [{"role": "user", "content": "who?"}]


class Structured:
    """`StructuredOutputsParams`: exactly one kind of constraint."""

    def __init__(self, *, json: dict[str, Any]) -> None:
        self.json = json


class Params:
    """`SamplingParams` with the arguments that the generator uses."""

    max_tokens: int
    prompt_logprobs: int | None

    def __init__(
        self,
        *,
        max_tokens: int,
        temperature: float,
        top_p: float = 1.0,
        seed: int | None = None,
        stop_token_ids: list[int] | None = None,
        logit_bias: dict[int, float] | None = None,
        structured_outputs: Structured | None = None,
        prompt_logprobs: int | None = None,
        detokenize: bool = True,
    ) -> None:
        self.__dict__.update({name: value for name, value in locals().items() if name != "self"})


class Engine:
    """`LLM`, which answers every row with `answer`.

    The token at index i of a prompt gets −i nats.
    """

    answer: tuple[int, ...] = ()

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.calls: list[tuple[list[int], Params]] = []

    def generate(self, prompts: list[dict[str, list[int]]], params: list[Params], *, use_tqdm: bool) -> list[Any]:
        rows = [prompt["prompt_token_ids"] for prompt in prompts]
        self.calls += zip(rows, params, strict=True)
        outputs = [SimpleNamespace(token_ids=self.answer[: param.max_tokens]) for param in params]
        logps = [build_logprobs(row) if p.prompt_logprobs == 0 else None for row, p in zip(rows, params, strict=True)]
        return [
            SimpleNamespace(prompt_logprobs=logprobs, outputs=[output])
            for logprobs, output in zip(logps, outputs, strict=True)
        ]


def build_logprobs(row: list[int]) -> list[dict[int, Any] | None]:
    """Return log-probabilities in vLLM's format.

    One entry per token, by its id; None for the first token.
    """
    return [{token: SimpleNamespace(logprob=-float(i))} if i else None for i, token in enumerate(row)]


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    package, sampling_params = ModuleType("vllm"), ModuleType("vllm.sampling_params")
    package.__dict__.update(LLM=Engine, SamplingParams=Params, __version__="0.33.0")
    sampling_params.__dict__.update(StructuredOutputsParams=Structured)
    monkeypatch.setitem(sys.modules, "vllm", package)
    monkeypatch.setitem(sys.modules, "vllm.sampling_params", sampling_params)


@pytest.fixture
def generator(vllm: None, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VLLMGenerator:
    context = OpenContext(Path("unused"), "float32", 8, tmp_path / "answers.sqlite")
    opened: Any = VLLM(model=str(tiny_checkpoint), gpus=2, gpu_memory=0.5).open(context)
    set_answer(monkeypatch, opened.chat, "yes")
    return opened  # type: ignore[no-any-return]


def set_answer(monkeypatch: pytest.MonkeyPatch, chat: ChatFormat, text: str) -> None:
    """Make the engine answer with this text."""
    monkeypatch.setattr(Engine, "answer", tuple(chat.encode_completion(text)))


def test_engine_is_opened_with_the_settings(generator: VLLMGenerator, tiny_checkpoint: Path) -> None:
    assert generator.engine.settings == {  # type: ignore[attr-defined]
        "model": str(tiny_checkpoint),
        "revision": None,
        "dtype": "float32",
        "tensor_parallel_size": 2,
        "gpu_memory_utilization": 0.5,
        "max_model_len": None,
        "enable_prefix_caching": True,
    }


def test_prompts_are_encoded_with_the_chat_format(generator: VLLMGenerator) -> None:
    assert generator.generate([HI, WHO], Sampling(8)) == [Completion("yes")] * 2
    calls: Any = generator.engine.calls  # type: ignore[attr-defined]
    assert [row for row, _ in calls] == [generator.chat.encode_prompt(prompt, "assistant") for prompt in (HI, WHO)]
    assert calls[0][1].stop_token_ids == [generator.chat.end_of_turn_id]
    assert (calls[0][1].max_tokens, calls[0][1].temperature, calls[0][1].detokenize) == (8, 0.0, False)


def test_truncated_answer_keeps_its_prefill(generator: VLLMGenerator) -> None:
    assert generator.generate([HI], Sampling(2, prefill="Oh, ")) == [Completion("Oh, ye", truncated=True)]
    calls: Any = generator.engine.calls  # type: ignore[attr-defined]
    assert calls[0][0][-4:] == generator.chat.tokenizer("Oh, ").input_ids


def test_schema_replaces_the_prefill(generator: VLLMGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    set_answer(monkeypatch, generator.chat, '{"a": 1}')
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    assert generator.generate([HI], Sampling(20, prefill='{"a":', schema=schema))[0].text == '{"a": 1}'
    calls: Any = generator.engine.calls  # type: ignore[attr-defined]
    assert calls[0][1].structured_outputs.json == schema
    assert calls[0][0] == generator.chat.encode_prompt(HI, "assistant")


def test_seeds_of_repeated_prompts_differ_and_ignore_other_prompts(generator: VLLMGenerator) -> None:
    def draw_seeds(prompts: list[list[Message]], seed: int) -> list[int]:
        generator.store = None
        before = len(generator.engine.calls)  # type: ignore[attr-defined]
        generator.generate(prompts, Sampling(4, 1.0, seed=seed))
        return [params.seed for _, params in generator.engine.calls[before:]]  # type: ignore[attr-defined]

    three = draw_seeds([HI, HI, HI], 1)
    assert len(set(three)) == 3
    assert draw_seeds([HI, WHO, HI, WHO, HI], 1)[::2] == three
    assert not set(draw_seeds([HI, HI, HI], 2)) & set(three)


def test_user_model_cannot_end_when_may_end_is_false(vllm: None, tiny_checkpoint: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    tokenizer.add_tokens(["<|endconversation|>"])
    chat = ChatFormat.from_tokenizer(tokenizer)
    end_id = chat.end_of_conversation_id
    engine: Any = Engine()
    engine.answer = (end_id,)
    user = VLLMGenerator("tiny", engine, chat, "user")
    assert user.generate([HI], Sampling(4)) == [Completion("", ended=True)]
    user.generate([HI], Sampling(4, may_end=False))
    assert [params.logit_bias for _, params in engine.calls] == [None, {end_id: -100.0}]


def test_stored_answers_are_not_generated_again(generator: VLLMGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    first = generator.generate([HI, HI], Sampling(8, 1.0))
    monkeypatch.setattr(Engine, "generate", lambda *_, **__: pytest.fail("generated again"))
    assert generator.generate([HI, HI], Sampling(8, 1.0)) == first


def test_score_sums_the_tokens_of_the_turn_and_its_end(generator: VLLMGenerator) -> None:
    before = len(generator.chat.encode_prompt(HI, "assistant"))
    # A byte is a token here: "yes" and the end of the turn are four, "" is its end alone.
    expected = [TurnScore(-sum(before + i for i in range(4)), 4), TurnScore(-float(before), 1)]
    assert generator.score([HI, WHO], [["yes", ""], []]) == [expected, []]
    assert generator.score([], []) == []


def test_missing_vllm_is_an_error_that_explains_installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ModelError, match=r"needs the package vllm, .* `vllm serve MODEL`"):
        VLLM(model="some/model").open(OpenContext(tmp_path, "bfloat16", 8, tmp_path / "answers.sqlite"))


def test_adapter_and_unloadable_model_are_refused(
    vllm: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_checkpoint: Path
) -> None:
    context = OpenContext(tmp_path, "bfloat16", 8, tmp_path / "answers.sqlite")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "base.json").write_text('{"base": "' + str(tiny_checkpoint) + '"}')
    with pytest.raises(ModelError, match="is an adapter"):
        VLLM(model=str(adapter)).open(context)

    def raise_error(*_: Any, **__: Any) -> None:
        raise RuntimeError("no GPU")

    monkeypatch.setattr(Engine, "__init__", raise_error)
    with pytest.raises(ModelError, match="vLLM cannot load it: no GPU"):
        VLLM(model=str(tiny_checkpoint)).open(context)


def test_refused_prompt_is_a_model_error(generator: VLLMGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("the decoder prompt is longer than the maximum model length")

    monkeypatch.setattr(generator.engine, "generate", refuse)
    with pytest.raises(ModelError, match=r"longer than the maximum .*lower the section's max_prompt_tokens"):
        generator.generate([HI], Sampling(8))
