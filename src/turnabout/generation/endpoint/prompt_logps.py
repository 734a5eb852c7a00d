"""Log-probabilities of turns from a server that returns those of a prompt.

vLLM's server returns them as `prompt_logprobs`.
"""

from collections.abc import Sequence
from typing import Any

from turnabout.core.messages import Message
from turnabout.errors import EndpointError
from turnabout.generation.base import TurnScore
from turnabout.generation.endpoint.responses import Reply

#: A token of a prompt: its id, its text, and its log-probability in nats (None for the very first token).
Token = tuple[str, str, float | None]

#: Says what to do about a server that does not return log-probabilities.
CANNOT_SCORE = (
    "this endpoint cannot score: set `by: answers` where a method has that; else use an endpoint whose server runs "
    "vLLM (it supports `prompt_logprobs`), or a model with {backend: local} or {backend: vllm}"
)

#: The role that speaks after each role.
NEXT_ROLE = {"user": "assistant", "system": "user", "assistant": "user"}


def build_scoring_call(model: str, prompt: Sequence[Message], turn: str) -> dict[str, Any]:
    """Return the call that reads a conversation to the end of its next turn.

    The server has to write one token, which is not used.
    """
    messages = [*prompt, {"role": NEXT_ROLE[prompt[-1]["role"]], "content": turn}]
    reading = {"add_generation_prompt": False, "prompt_logprobs": 0}
    return {"model": model, "messages": messages, "max_tokens": 1, "temperature": 0.0, **reading}


def extract_tokens(reply: Reply) -> list[Token]:
    """Return the tokens of a prompt.

    Raises `EndpointError` where the server does not return them.
    """
    if not reply.prompt_logprobs:
        raise EndpointError("the answer holds no `prompt_logprobs`")
    tokens = []
    for entry in reply.prompt_logprobs:
        token_id, fields = next(iter((entry or {"": {}}).items()))
        tokens.append((token_id, fields.get("decoded_token") or "", fields.get("logprob")))
    return tokens


def count_shared_tokens(empty: Sequence[Token], whole: Sequence[Token]) -> int:
    """Return how many tokens come before the turn's own.

    Those are shared with the same prompt and an empty turn.
    """
    n_shared = 0
    for one, other in zip(empty, whole, strict=False):
        if one[0] != other[0]:
            break
        n_shared += 1
    return n_shared


def score_tokens(tokens: Sequence[Token], start: int) -> TurnScore:
    """Return the score of the tokens from `start` on.

    Whitespace tokens that the template adds at the end are left out.
    """
    own = list(tokens[start:])
    while own and own[-1][1].isspace():
        own.pop()
    return TurnScore(sum(logp or 0.0 for _, _, logp in own), len(own))
