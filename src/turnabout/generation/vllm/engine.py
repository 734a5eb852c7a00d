"""The generator over vLLM's engine, written against vLLM 0.33.

vLLM keeps the key-values of whole prefixes and takes any number of prompts, so nothing is sorted or batched here. Its
kernels may add up in another order when other prompts run beside one: a stored answer is what makes a rerun byte-equal.
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
from turnabout.generation.turns import list_end_ids, encode_prefill, decode_turn
from turnabout.models.chat_format import ChatFormat

if TYPE_CHECKING:
    import vllm

#: Prompts whose answers are kept together: enough to fill a GPU, few enough that a crash costs little.
BATCH_SIZE = 1024

#: As low as vLLM lets a token's logit be pushed.
NEVER = -100.0

#: A stored answer is what these files made of a model's tokens: with other code it has to be made again.
CODE = hashlib.sha256(
    b"".join(path.read_bytes() for path in (Path(__file__), Path(__file__).parents[1] / "turns.py"))
).hexdigest()


class VLLMGenerator:
    """`engine` writing the turns of the role `speaks`, through the same chat format as every other local model.

    Each draw has a seed made of the sampling's and of how often its prompt came before in the call: draws of one prompt
    differ, and none depends on what else is asked.
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
        """One completion per prompt, in order.

        With a schema the answer is one whole object of that shape, so that the prefill, which is the beginning of such
        an object, is left out.
        """
        if sampling.schema is not None:
            sampling = sampling._replace(prefill="")
        first = encode_prefill(self.chat, sampling.prefill)
        rows = [[*self.chat.encode_prompt(prompt, self.speaks), *first] for prompt in prompts]
        asked = list(zip(rows, _seeds(rows, sampling.seed), strict=True))
        starts = range(0, len(asked), BATCH_SIZE)
        return [answer for at in starts for answer in self._answer(asked[at : at + BATCH_SIZE], sampling)]

    def score(self, prompts: Sequence[Sequence[Message]], turns: Sequence[Sequence[str]]) -> list[list[TurnScore]]:
        """For each prompt, how likely each of its `turns` is as the next one of the role that speaks.

        vLLM reads no prefix from its cache where it has to tell the log-probabilities of a prompt, so a prompt costs as
        much for every turn; `LocalGenerator` reads it once.
        """
        vllm = import_vllm()
        heads = [self.chat.encode_prompt(prompt, self.speaks) for prompt in prompts]
        tails = [[self.chat.encode_completion(text) for text in of_prompt] for of_prompt in turns]
        rows = [[*head, *tail] for head, of_prompt in zip(heads, tails, strict=True) for tail in of_prompt]
        params = vllm.SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=0, detokenize=False)
        outputs = iter(self._run(rows, [params] * len(rows)))
        return [
            [_scored(next(outputs).prompt_logprobs, head, tail) for tail in of_prompt]
            for head, of_prompt in zip(heads, tails, strict=True)
        ]

    def _answer(self, asked: list[tuple[list[int], int]], sampling: Sampling) -> list[Completion]:
        request = [CODE, import_vllm().__version__, self.speaks, self.chat.end_of_conversation_id, asked, sampling]
        kept = None if self.store is None else self.store.get(request)
        if kept is not None:
            return kept
        params = [self._params(sampling, seed) for _, seed in asked]
        outputs = self._run([row for row, _ in asked], params)
        answers = [decode_turn(self.chat, output.outputs[0].token_ids, sampling.prefill) for output in outputs]
        return answers if self.store is None else self.store.put(request, answers)

    def _params(self, sampling: Sampling, seed: int) -> "vllm.SamplingParams":
        from vllm.sampling_params import StructuredOutputsParams

        shape = None if sampling.schema is None else StructuredOutputsParams(json=sampling.schema)
        ends = list_end_ids(self.chat)
        return import_vllm().SamplingParams(
            max_tokens=sampling.max_new_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            seed=seed,
            stop_token_ids=ends,
            logit_bias=None if sampling.may_end or len(ends) == 1 else {ends[1]: NEVER},
            structured_outputs=shape,
            detokenize=False,
        )

    def _run(self, rows: list[list[int]], params: "list[vllm.SamplingParams]") -> "list[vllm.RequestOutput]":
        """vLLM's output for every row of tokens, in order. Raises `ModelError` where it does not take one."""
        prompts: Any = [{"prompt_token_ids": row} for row in rows]
        try:
            return self.engine.generate(prompts, params, use_tqdm=True) if prompts else []
        except ValueError as error:
            mend = "where prompts are too long, lower the section's max_prompt_tokens or raise max_model_len"
            raise ModelError(f"{self.name}: vLLM does not take a call: {error}; {mend}") from error


def import_vllm() -> Any:
    """The module. Raises `ModelError` saying how to have it."""
    try:
        import vllm
    except ImportError as error:
        raise ModelError(
            "generator 'vllm' needs the package vllm, which is not installed and pins other versions of torch and "
            "transformers than this project: docs/vllm.md says how to have both in one environment; or serve the "
            "model from an environment of its own by `vllm serve MODEL` and name that as {backend: openai, "
            "base_url: http://localhost:8000/v1, key: null, model: MODEL}"
        ) from error
    return vllm


def _seeds(rows: Sequence[Sequence[int]], seed: int) -> Iterator[int]:
    """A seed for each row: the same for the first draw of every prompt, another for its second, and so on."""
    seen: Counter[tuple[int, ...]] = Counter()
    for row in map(tuple, rows):
        yield int.from_bytes(hashlib.sha256(f"{seed}:{seen[row]}".encode()).digest()[:4], "big")
        seen[row] += 1


def _scored(logps: "Sequence[Any]", head: Sequence[int], tail: Sequence[int]) -> TurnScore:
    """The sum over the tokens of the turn; `logps` tells for each place of the row what its token was given."""
    own = zip(logps[len(head) :], tail, strict=True)
    return TurnScore(sum(told[token].logprob for told, token in own), len(tail))
