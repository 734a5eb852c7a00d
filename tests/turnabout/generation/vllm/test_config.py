"""The vLLM generator against a small stand-in with the interface of vLLM 0.33: tokens in, tokens out."""

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
    """`SamplingParams`: the arguments that are given, by their names there."""

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
    """`LLM`: answers every row with `answer`; a token at place p of a prompt is given −p nats."""

    answer: tuple[int, ...] = ()

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.asked: list[tuple[list[int], Params]] = []

    def generate(self, prompts: list[dict[str, list[int]]], params: list[Params], *, use_tqdm: bool) -> list[Any]:
        rows = [prompt["prompt_token_ids"] for prompt in prompts]
        self.asked += zip(rows, params, strict=True)
        written = [SimpleNamespace(token_ids=self.answer[: wanted.max_tokens]) for wanted in params]
        logps = [read(row) if wanted.prompt_logprobs == 0 else None for row, wanted in zip(rows, params, strict=True)]
        return [
            SimpleNamespace(prompt_logprobs=told, outputs=[answer]) for told, answer in zip(logps, written, strict=True)
        ]


def read(row: list[int]) -> list[dict[int, Any] | None]:
    """What vLLM tells of a prompt's tokens, each under its id; nothing of the very first."""
    return [{token: SimpleNamespace(logprob=-float(place))} if place else None for place, token in enumerate(row)]


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    package, of_sampling = ModuleType("vllm"), ModuleType("vllm.sampling_params")
    package.__dict__.update(LLM=Engine, SamplingParams=Params, __version__="0.33.0")
    of_sampling.__dict__.update(StructuredOutputsParams=Structured)
    monkeypatch.setitem(sys.modules, "vllm", package)
    monkeypatch.setitem(sys.modules, "vllm.sampling_params", of_sampling)


@pytest.fixture
def writer(vllm: None, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VLLMGenerator:
    desk = OpenContext(Path("unused"), "float32", 8, tmp_path / "answers.sqlite")
    opened: Any = VLLM(model=str(tiny_checkpoint), gpus=2, gpu_memory=0.5).open(desk)
    says(monkeypatch, opened.chat, "yes")
    return opened  # type: ignore[no-any-return]


def says(monkeypatch: pytest.MonkeyPatch, chat: ChatFormat, text: str) -> None:
    """From now on the engine answers this."""
    monkeypatch.setattr(Engine, "answer", tuple(chat.encode_completion(text)))


def test_the_engine_is_opened_as_the_settings_say(writer: VLLMGenerator, tiny_checkpoint: Path) -> None:
    assert writer.engine.settings == {  # type: ignore[attr-defined]
        "model": str(tiny_checkpoint),
        "revision": None,
        "dtype": "float32",
        "tensor_parallel_size": 2,
        "gpu_memory_utilization": 0.5,
        "max_model_len": None,
        "enable_prefix_caching": True,
    }


def test_prompts_go_in_as_the_tokens_of_our_own_chat_format(writer: VLLMGenerator) -> None:
    assert writer.generate([HI, WHO], Sampling(8)) == [Completion("yes")] * 2
    asked: Any = writer.engine.asked  # type: ignore[attr-defined]
    assert [row for row, _ in asked] == [writer.chat.encode_prompt(prompt, "assistant") for prompt in (HI, WHO)]
    assert asked[0][1].stop_token_ids == [writer.chat.end_of_turn_id]
    assert (asked[0][1].max_tokens, asked[0][1].temperature, asked[0][1].detokenize) == (8, 0.0, False)


def test_an_answer_that_ran_out_of_tokens_says_so_and_keeps_its_prefill(writer: VLLMGenerator) -> None:
    assert writer.generate([HI], Sampling(2, prefill="Oh, ")) == [Completion("Oh, ye", truncated=True)]
    asked: Any = writer.engine.asked  # type: ignore[attr-defined]
    assert asked[0][0][-4:] == writer.chat.tokenizer("Oh, ").input_ids


def test_a_schema_is_held_to_and_takes_the_place_of_the_prefill(
    writer: VLLMGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, writer.chat, '{"a": 1}')
    shape = {"type": "object", "properties": {"a": {"type": "integer"}}}
    assert writer.generate([HI], Sampling(20, prefill='{"a":', schema=shape))[0].text == '{"a": 1}'
    asked: Any = writer.engine.asked  # type: ignore[attr-defined]
    assert asked[0][1].structured_outputs.json == shape
    assert asked[0][0] == writer.chat.encode_prompt(HI, "assistant")


def test_draws_of_a_prompt_have_seeds_of_their_own_that_no_other_prompt_changes(writer: VLLMGenerator) -> None:
    def seeds(prompts: list[list[Message]], seed: int) -> list[int]:
        writer.store = None
        before = len(writer.engine.asked)  # type: ignore[attr-defined]
        writer.generate(prompts, Sampling(4, 1.0, seed=seed))
        return [params.seed for _, params in writer.engine.asked[before:]]  # type: ignore[attr-defined]

    three = seeds([HI, HI, HI], 1)
    assert len(set(three)) == 3
    assert seeds([HI, WHO, HI, WHO, HI], 1)[::2] == three
    assert not set(seeds([HI, HI, HI], 2)) & set(three)


def test_a_user_model_may_be_kept_from_leaving(vllm: None, tiny_checkpoint: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    tokenizer.add_tokens(["<|endconversation|>"])
    chat = ChatFormat.from_tokenizer(tokenizer)
    leaves = chat.end_of_conversation_id
    engine: Any = Engine()
    engine.answer = (leaves,)
    user = VLLMGenerator("tiny", engine, chat, "user")
    assert user.generate([HI], Sampling(4)) == [Completion("", ended=True)]
    user.generate([HI], Sampling(4, may_end=False))
    assert [params.logit_bias for _, params in engine.asked] == [None, {leaves: -100.0}]


def test_what_was_answered_is_not_asked_again(writer: VLLMGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    first = writer.generate([HI, HI], Sampling(8, 1.0))
    monkeypatch.setattr(Engine, "generate", lambda *_, **__: pytest.fail("asked again"))
    assert writer.generate([HI, HI], Sampling(8, 1.0)) == first


def test_a_turn_is_scored_by_the_tokens_of_its_words_and_its_end(writer: VLLMGenerator) -> None:
    before = len(writer.chat.encode_prompt(HI, "assistant"))
    # A byte is a token here: "yes" and the end of the turn are four, "" is its end alone.
    expected = [TurnScore(-sum(before + i for i in range(4)), 4), TurnScore(-float(before), 1)]
    assert writer.score([HI, WHO], [["yes", ""], []]) == [expected, []]
    assert writer.score([], []) == []


def test_without_vllm_the_error_says_how_to_have_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ModelError, match=r"needs the package vllm, .* `vllm serve MODEL`"):
        VLLM(model="some/model").open(OpenContext(tmp_path, "bfloat16", 8, tmp_path / "answers.sqlite"))


def test_an_adapter_and_a_model_that_cannot_be_loaded_are_refused(
    vllm: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_checkpoint: Path
) -> None:
    desk = OpenContext(tmp_path, "bfloat16", 8, tmp_path / "answers.sqlite")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "base.json").write_text('{"base": "' + str(tiny_checkpoint) + '"}')
    with pytest.raises(ModelError, match="is an adapter"):
        VLLM(model=str(adapter)).open(desk)

    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError("no GPU")

    monkeypatch.setattr(Engine, "__init__", fails)
    with pytest.raises(ModelError, match="vLLM cannot load it: no GPU"):
        VLLM(model=str(tiny_checkpoint)).open(desk)


def test_a_prompt_that_vllm_does_not_take_is_told(writer: VLLMGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("the decoder prompt is longer than the maximum model length")

    monkeypatch.setattr(writer.engine, "generate", refuse)
    with pytest.raises(ModelError, match=r"longer than the maximum .*lower the section's max_prompt_tokens"):
        writer.generate([HI], Sampling(8))
