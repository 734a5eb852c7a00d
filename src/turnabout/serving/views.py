"""Whose words are whose: a request's messages as the conversation its next speaker, the user, stands in.

A caller names the view by the model: `user` takes the roles of the real conversation, `user:flipped` the exchanged ones
of simulators that play the user with an assistant model. In both, the other side speaks last, or nobody has spoken yet:
so a request in the wrong view never passes for the right one.
"""

from collections.abc import Sequence

from turnabout.core.messages import Message
from turnabout.intents.wording import FALLBACK
from turnabout.serving.refusals import RefusedRequest
from turnabout.serving.request import RequestMessage
from turnabout.simulation.users import Situation

NATURAL, FLIPPED = "user", "user:flipped"

#: Who says a message of each role, as the user model knows them; None is for what the person never sees.
SPEAKERS: dict[str, dict[str, str | None]] = {
    NATURAL: {"user": "user", "assistant": "assistant", "tool": None, "function": None},
    FLIPPED: {"user": "assistant", "assistant": "user"},
}


def parse_situation(messages: Sequence[RequestMessage], model: str, marker: str) -> Situation:
    """The intent and the conversation so far; the `marker` of leaving is no word of it. Raises `Refused`."""
    if model not in SPEAKERS:
        told = f"model '{model}' is not served; there are '{NATURAL}' and '{FLIPPED}'"
        raise RefusedRequest(told, "model", "model_not_found", 404)
    is_led = bool(messages) and messages[0].role in ("system", "developer")
    rest = messages[1:] if is_led else messages
    _check_roles([said.role for said in rest], model)
    seen = [(speaker, said.text) for said in rest if (speaker := SPEAKERS[model][said.role]) is not None]
    if seen and seen[-1][0] == "user":
        raise RefusedRequest(_wrong_view(model), "messages")
    spoken = [(speaker, text.replace(marker, "").strip()) for speaker, text in seen]
    history: list[Message] = [{"role": speaker, "content": text} for speaker, text in spoken if text]
    return Situation(messages[0].text if is_led else FALLBACK, history)


def has_left(messages: Sequence[RequestMessage], model: str, marker: str) -> bool:
    """Whether the person left in one of their earlier turns."""
    return any(SPEAKERS[model].get(said.role) == "user" and marker in said.text for said in messages)


def _check_roles(roles: Sequence[str], model: str) -> None:
    if wrong := sorted(set(roles) - SPEAKERS[model].keys()):
        raise RefusedRequest(
            f"role {', '.join(wrong)} came among {list(roles)}; model '{model}' takes one system message first (what "
            f"the person wants), then {', '.join(SPEAKERS[model])}",
            "messages",
        )


def _wrong_view(model: str) -> str:
    played, wanted, other = ("user", "assistant", FLIPPED) if model == NATURAL else ("assistant", "user", NATURAL)
    return (
        f"the last words have role '{played}', which for model '{model}' is the person played here, and it is their "
        f"turn; end with a message of role '{wanted}', or ask model '{other}' if your roles are the other way round"
    )
