"""Likelihoods of given turns from a server that tells the log-probability of each token of a prompt, as vLLM's does."""

from collections.abc import Sequence
from typing import Any

from turnabout.core.messages import Message
from turnabout.errors import EndpointError
from turnabout.generation.base import Scored
from turnabout.generation.endpoint.responses import Reply

#: A token of a prompt: its id, the words it stands for, and its log-probability in nats (none for the very first).
Token = tuple[str, str, float | None]

#: What to do about a server that does not tell likelihoods.
CANNOT = (
    "this endpoint cannot score: say `by: answers` where a method has that; else take one whose server runs vLLM (it "
    "knows `prompt_logprobs`), or an author with {generator: local} or {generator: vllm}"
)

#: Who speaks after whom.
NEXT = {"user": "assistant", "system": "user", "assistant": "user"}


def asked(model: str, prompt: Sequence[Message], turn: str) -> dict[str, Any]:
    """The call that has a conversation read to the end of its next turn; one token must be written, and is not used."""
    messages = [*prompt, {"role": NEXT[prompt[-1]["role"]], "content": turn}]
    reading = {"add_generation_prompt": False, "prompt_logprobs": 0}
    return {"model": model, "messages": messages, "max_tokens": 1, "temperature": 0.0, **reading}


def tokens_of(reply: Reply) -> list[Token]:
    """The tokens of a prompt. Raises `EndpointError` where the server does not tell them."""
    if not reply.prompt_logprobs:
        raise EndpointError("the answer holds no `prompt_logprobs`")
    told = ((entry or {"": {}}).items() for entry in reply.prompt_logprobs)
    return [(token, about.get("decoded_token") or "", about.get("logprob")) for (token, about), *_ in told]


def shared_tokens(empty: Sequence[Token], whole: Sequence[Token]) -> int:
    """How many tokens come before the turn's own: those that the conversation has with an empty turn as well."""
    same = (i for i, (one, other) in enumerate(zip(empty, whole, strict=False)) if one[0] != other[0])
    return next(same, min(len(empty), len(whole)))


def scored(tokens: Sequence[Token], start: int) -> Scored:
    """The likelihood of the tokens from `start` on; blank ones at the end, which a template adds, are left out."""
    own = list(tokens[start:])
    while own and own[-1][1].isspace():
        own.pop()
    return Scored(sum(logp or 0.0 for _, _, logp in own), len(own))
