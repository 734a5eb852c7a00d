"""A generator over vLLM's engine, written for vLLM 0.33.

vLLM caches the key-values of whole prefixes and takes any number of prompts, so nothing is sorted or padded here. Its
kernels may add in another order when other prompts run at the same time: only stored answers make a rerun byte-equal.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from turnabout.core.messages import Message
from turnabout.errors import ModelError
from turnabout.generation.base import Completion, Sampling, TurnScore
from turnabout.generation.store import AnswerStore
from turnabout.generation.turns import decode_turn, encode_prefill, list_end_ids
from turnabout.models.chat_format import ChatFormat

if TYPE_CHECKING:
    import vllm

#: Number of prompts whose answers are stored together: enough to fill a GPU, few enough that a crash loses little.
BATCH_SIZE = 1024

#: The lowest bias that vLLM allows for a token's logit.
MIN_LOGIT_BIAS = -100.0

#: Hash of the files that decide which answer a model's tokens become. It is part of the key of every stored answer, so
#: that other code makes its own answers.
CODE = hashlib.sha256(
    b"".join(path.read_bytes() for path in (Path(__file__), Path(__file__).parents[1] / "turns.py"))
).hexdigest()


class VLLMGenerator:
    """`engine`, writing the turns of the role `speaks`.

    It has the same chat format as every other local model. The seed of each draw is made of the sampling's seed and of
    how often the prompt occurred before in the call: draws of one prompt differ, and no draw depends on the other
    prompts.
    """

    def __init__(
        self,
        name: str,
        engine: "vllm.LLM",
        chat: ChatFormat,
        speaks: Literal["user", "assistant"],
        store: AnswerStore | None = None,
    ) -> None:
        self.name = name
        self.engine = engine
        self.chat = chat
        self.speaks = speaks
        self.store = store

    def generate(self, prompts: Sequence[Sequence[Message]], sampling: Sampling) -> list[Completion]:
        """Return one completion per prompt, in order.

        With a schema the answer is one whole object of that schema. The prefill, which is the beginning of such an
        object, is therefore left out.
        """
        if sampling.schema is not None:
            sampling = sampling._replace(prefill="")
        prefill = encode_prefill(self.chat, sampling.prefill)
        rows = [[*self.chat.encode_prompt(prompt, self.speaks), *prefill] for prompt in prompts]
        draws = list(zip(rows, _make_seeds(rows, sampling.seed), strict=True))
        answers: list[Completion] = []
        for start in range(0, len(draws), BATCH_SIZE):
            answers += self._answer(draws[start : start + BATCH_SIZE], sampling)
        return answers

    def score(self, prompts: Sequence[Sequence[Message]], turns: Sequence[Sequence[str]]) -> list[list[TurnScore]]:
        """Return the score of each turn as the next one, shaped like `turns`.

        `turns` has the candidate turns of each prompt. vLLM reads no prefix from its cache where it returns the
        log-probabilities of a prompt, so each turn costs its whole prompt; `LocalGenerator` reads the prompt once.
        """
        heads = [self.chat.encode_prompt(prompt, self.speaks) for prompt in prompts]
        tails = [self.chat.encode_completions(prompt_turns) for prompt_turns in turns]
        rows = []
        for head, prompt_tails in zip(heads, tails, strict=True):
            rows += [[*head, *tail] for tail in prompt_tails]
        params = import_vllm().SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=0, detokenize=False)
        outputs = iter(self._run(rows, [params] * len(rows)))
        scores = []
        for head, prompt_tails in zip(heads, tails, strict=True):
            scores.append([_score_tail(next(outputs).prompt_logprobs, head, tail) for tail in prompt_tails])
        return scores

    def _answer(self, draws: list[tuple[list[int], int]], sampling: Sampling) -> list[Completion]:
        """Return the answers to encoded prompts with their seeds.

        From the store where it has them.
        """
        request = [CODE, import_vllm().__version__, self.speaks, self.chat.end_of_conversation_id, draws, sampling]
        stored = None if self.store is None else self.store.get(request)
        if stored is not None:
            return stored
        params = [self._build_params(sampling, seed) for _, seed in draws]
        outputs = self._run([row for row, _ in draws], params)
        answers = [decode_turn(self.chat, output.outputs[0].token_ids, sampling.prefill) for output in outputs]
        return answers if self.store is None else self.store.put(request, answers)

    def _build_params(self, sampling: Sampling, seed: int) -> "vllm.SamplingParams":
        from vllm.sampling_params import StructuredOutputsParams

        schema = None if sampling.schema is None else StructuredOutputsParams(json=sampling.schema)
        end_ids = list_end_ids(self.chat)
        return import_vllm().SamplingParams(
            max_tokens=sampling.max_new_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            seed=seed,
            stop_token_ids=end_ids,
            logit_bias=None if sampling.may_end or len(end_ids) == 1 else {end_ids[1]: MIN_LOGIT_BIAS},
            structured_outputs=schema,
            detokenize=False,
        )

    def _run(self, rows: list[list[int]], params: "list[vllm.SamplingParams]") -> "list[vllm.RequestOutput]":
        """Return vLLM's output for every row of tokens, in order.

        Raises `ModelError` where vLLM refuses a row.
        """
        prompts: Any = [{"prompt_token_ids": row} for row in rows]
        try:
            return self.engine.generate(prompts, params, use_tqdm=True) if prompts else []
        except ValueError as error:
            remedy = "if prompts are too long, lower the section's max_prompt_tokens or raise max_model_len"
            raise ModelError(f"{self.name}: vLLM refuses a call: {error}; {remedy}") from error


def import_vllm() -> Any:
    """Return the module `vllm`. Raises `ModelError` that says how to install it."""
    try:
        import vllm
    except ImportError as error:
        raise ModelError(
            "backend 'vllm' needs the package vllm, which is not installed and pins other versions of torch and "
            "transformers than this project: docs/vllm.md says how to install both in one environment; or serve the "
            "model from a separate environment with `vllm serve MODEL` and configure that as {backend: openai, "
            "base_url: http://localhost:8000/v1, key: null, model: MODEL}"
        ) from error
    return vllm


def _make_seeds(rows: Sequence[Sequence[int]], seed: int) -> Iterator[int]:
    """Yield a seed per row.

    One seed is for the first draw of every prompt, another for its second, and so on.
    """
    counts: Counter[tuple[int, ...]] = Counter()
    for row in map(tuple, rows):
        yield int.from_bytes(hashlib.sha256(f"{seed}:{counts[row]}".encode()).digest()[:4], "big")
        counts[row] += 1


def _score_tail(logps: "Sequence[Any]", head: Sequence[int], tail: Sequence[int]) -> TurnScore:
    """Return the score of the turn's tokens.

    `logps` has one entry per token of the row.
    """
    entries = zip(logps[len(head) :], tail, strict=True)
    return TurnScore(sum(entry[token].logprob for entry, token in entries), len(tail))
