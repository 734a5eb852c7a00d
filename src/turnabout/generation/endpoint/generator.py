"""A model behind an endpoint as a generator."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from turnabout.core.messages import Message
from turnabout.errors import EndpointError
from turnabout.generation.base import Completion, Sampling, TurnScore
from turnabout.generation.endpoint.calls import Body, CachedCalls
from turnabout.generation.endpoint.forced_prefix import ask_for_prefix, force_prefix
from turnabout.generation.endpoint.options import EndpointSettings
from turnabout.generation.endpoint.prompt_logps import (
    CANNOT_SCORE,
    build_scoring_call,
    count_shared_tokens,
    extract_tokens,
    score_tokens,
)
from turnabout.generation.endpoint.responses import CONTENT_REFUSED, Refusal, Reply


class RemoteGenerator:
    """`settings.model`, writing as the assistant."""

    def __init__(self, settings: EndpointSettings, calls: CachedCalls) -> None:
        self.name = settings.model
        self.settings = settings
        self.calls = calls

    def generate(self, prompts: Sequence[Sequence[Message]], sampling: Sampling) -> list[Completion]:
        """Return one completion per prompt, in order.

        Repeated prompts get different seeds when the temperature is above 0. Raises `BudgetExceeded` or `EndpointError`
        after every answer under way is stored.
        """
        bodies, repetitions = [], Counter[tuple[str, ...]]()
        for prompt in prompts:
            texts = tuple(message["content"] for message in prompt)
            offset = repetitions[texts] if sampling.temperature else 0
            bodies.append(self._build_body(prompt, sampling, sampling.seed + offset))
            repetitions[texts] += 1
        answers = self.calls.fetch_answers(bodies, _extract_answer)
        return [_build_completion(answer, sampling.prefill) for answer in answers]

    def score(self, prompts: Sequence[Sequence[Message]], turns: Sequence[Sequence[str]]) -> list[list[TurnScore]]:
        """Return the score of each turn as the next one, shaped like `turns`.

        `turns` has the candidate turns of each prompt. Works with servers that return the log-probabilities of a prompt
        in vLLM's format; raises `EndpointError` with others.
        """
        # The empty turn in front of each prompt's turns shows which tokens belong to the prompt.
        scored_turns = [("", *prompt_turns) for prompt_turns in turns]
        bodies = []
        for prompt, prompt_turns in zip(prompts, scored_turns, strict=True):
            bodies += [build_scoring_call(self.name, prompt, turn) for turn in prompt_turns]
        try:
            answers = self.calls.fetch_answers(bodies, extract_tokens)
        except EndpointError as error:
            explanation = f"\n{CANNOT_SCORE}" if "prompt_logprobs" in str(error) else ""
            raise EndpointError(f"{error}{explanation}") from None
        if refusals := [answer for answer in answers if isinstance(answer, Refusal)]:
            raise EndpointError(f"'{self.name}' does not score {len(refusals)} of {len(bodies)} texts: {refusals[0]}")
        remaining = (answer for answer in answers if not isinstance(answer, Refusal))
        scores = []
        for prompt_turns in scored_turns:
            empty, *readings = (next(remaining) for _ in prompt_turns)
            scores.append([score_tokens(tokens, count_shared_tokens(empty, tokens)) for tokens in readings])
        return scores

    def _build_body(self, prompt: Sequence[Message], sampling: Sampling, seed: int) -> Body:
        body: Body = {"model": self.name, "messages": ask_for_prefix(prompt, sampling.prefill), "seed": seed}
        if self.settings.reasoning_tokens is not None:
            body["max_completion_tokens"] = sampling.max_new_tokens + self.settings.reasoning_tokens
        else:
            body |= {"max_tokens": sampling.max_new_tokens, "temperature": sampling.temperature}
            body |= {"top_p": sampling.top_p} if sampling.top_p < 1 else {}
        if sampling.schema is not None and self.settings.schemas:
            schema = {"name": "answer", "schema": sampling.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body


def _extract_answer(reply: Reply) -> list[Any]:
    """Return the text, whether it is truncated, and whether it is refused.

    Refused means that the server filtered its content or the model declined.
    """
    choice = reply.choices[0]
    is_refused = choice.finish_reason == "content_filter" or choice.message.refusal is not None
    return [choice.message.content or "", choice.finish_reason == "length", is_refused]


def _build_completion(answer: list[Any] | Refusal, prefill: str) -> Completion:
    if isinstance(answer, Refusal):
        return Completion("", refused=str(answer))
    text, truncated, is_refused = answer
    if is_refused:
        return Completion("", refused=CONTENT_REFUSED)
    return Completion(force_prefix(text, prefill), truncated=truncated)
