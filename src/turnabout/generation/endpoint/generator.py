"""A model behind an endpoint as a generator: what is sent for a prompt, and what is read from its answer."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from turnabout.core.messages import Message
from turnabout.errors import EndpointError
from turnabout.generation.base import Completion, Sampling, Scored
from turnabout.generation.endpoint.calls import Body, Calls
from turnabout.generation.endpoint.forced_prefix import begun, told
from turnabout.generation.endpoint.options import EndpointSettings
from turnabout.generation.endpoint.prompt_logps import CANNOT, asked, scored, shared_tokens, tokens_of
from turnabout.generation.endpoint.responses import UNWANTED, Refusal, Reply


class RemoteGenerator:
    """`settings.model` writing as the assistant."""

    def __init__(self, settings: EndpointSettings, calls: Calls) -> None:
        self.name = settings.model
        self.settings = settings
        self.calls = calls

    def generate(self, prompts: Sequence[Sequence[Message]], sampling: Sampling) -> list[Completion]:
        """One completion per prompt, in order. The same prompt twice is another draw, if it is drawn at all.

        Raises `BudgetSpent` or `EndpointError` with everything kept that came before.
        """
        bodies, times = [], Counter[tuple[str, ...]]()
        for prompt in prompts:
            said = tuple(message["content"] for message in prompt)
            bodies.append(self._body(prompt, sampling, sampling.seed + (times[said] if sampling.temperature else 0)))
            times[said] += 1
        return [_completion(answer, sampling.prefill) for answer in self.calls.answers(bodies, _kept)]

    def score(self, prompts: Sequence[Sequence[Message]], turns: Sequence[Sequence[str]]) -> list[list[Scored]]:
        """For each prompt, how likely each of its `turns` is as the next one, shaped like `turns`.

        For servers that give the log-probabilities of a prompt as vLLM's does; an `EndpointError` says so elsewhere.
        """
        readings = [(prompt, ("", *some)) for prompt, some in zip(prompts, turns, strict=True)]
        bodies = [asked(self.name, prompt, turn) for prompt, some in readings for turn in some]
        try:
            answers = self.calls.answers(bodies, tokens_of)
        except EndpointError as error:
            raise EndpointError(f"{error}\n{CANNOT}" if "prompt_logprobs" in str(error) else str(error)) from None
        read = [answer for answer in answers if not isinstance(answer, Refusal)]
        if refused := [answer for answer in answers if isinstance(answer, Refusal)]:
            raise EndpointError(f"'{self.name}' does not score {len(refused)} of {len(bodies)} texts: {refused[0]}")
        each, found = iter(read), []
        for _, some in readings:
            empty, *whole = (next(each) for _ in some)
            found.append([scored(tokens, shared_tokens(empty, tokens)) for tokens in whole])
        return found

    def _body(self, prompt: Sequence[Message], sampling: Sampling, seed: int) -> Body:
        body: Body = {"model": self.name, "messages": told(prompt, sampling.prefill), "seed": seed}
        if self.settings.reasoning_tokens is not None:
            body["max_completion_tokens"] = sampling.max_new_tokens + self.settings.reasoning_tokens
        else:
            body |= {"max_tokens": sampling.max_new_tokens, "temperature": sampling.temperature}
            body |= {"top_p": sampling.top_p} if sampling.top_p < 1 else {}
        if sampling.schema is not None and self.settings.schemas:
            form = {"name": "answer", "schema": sampling.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        return body


def _kept(reply: Reply) -> list[Any]:
    """Text, whether it was cut off, and whether the server would not say it."""
    choice = reply.choices[0]
    unwanted = choice.finish_reason == "content_filter" or choice.message.refusal is not None
    return [choice.message.content or "", choice.finish_reason == "length", unwanted]


def _completion(answer: list[Any] | Refusal, prefill: str) -> Completion:
    if isinstance(answer, Refusal):
        return Completion("", refused=str(answer))
    text, truncated, unwanted = answer
    return Completion("", refused=UNWANTED) if unwanted else Completion(begun(text, prefill), truncated=truncated)
