"""The two views of a conversation in requests.

The model's name says which view a request uses: `user` has the roles of the real conversation, `user:flipped` has them
exchanged, as simulators do that play the user with an assistant model. In both views the other side speaks last, or
nobody has spoken yet. So a request in the wrong view is always detected.
"""

from collections.abc import Sequence

from turnabout.core.messages import Message
from turnabout.intents.wording import FALLBACK
from turnabout.serving.refusals import RefusedRequest
from turnabout.serving.request import RequestMessage
from turnabout.simulation.users import Situation

NATURAL, FLIPPED = "user", "user:flipped"

#: For each view, the speaker of a message by its role, as the user model knows them. None: the person never sees it.
SPEAKERS: dict[str, dict[str, str | None]] = {
    NATURAL: {"user": "user", "assistant": "assistant", "tool": None, "function": None},
    FLIPPED: {"user": "assistant", "assistant": "user"},
}


def parse_situation(messages: Sequence[RequestMessage], model: str, marker: str) -> Situation:
    """Return the intent and the conversation so far, in the natural view.

    The `marker` of the end of the conversation is removed from the texts. Raises `RefusedRequest`.
    """
    if model not in SPEAKERS:
        reason = f"model '{model}' is not served; there are '{NATURAL}' and '{FLIPPED}'"
        raise RefusedRequest(reason, "model", code="model_not_found", status=404)
    has_intent = bool(messages) and messages[0].role in ("system", "developer")
    dialogue = messages[1:] if has_intent else messages
    _check_roles([message.role for message in dialogue], model)
    visible = []
    for message in dialogue:
        speaker = SPEAKERS[model][message.role]
        if speaker is not None:
            visible.append((speaker, message.text))
    if visible and visible[-1][0] == "user":
        raise RefusedRequest(_describe_wrong_view(model), "messages")
    history: list[Message] = []
    for speaker, text in visible:
        content = text.replace(marker, "").strip()
        if content:
            history.append({"role": speaker, "content": content})
    return Situation(messages[0].text if has_intent else FALLBACK, history)


def has_ended(messages: Sequence[RequestMessage], model: str, marker: str) -> bool:
    """Return whether the user ended the conversation in an earlier turn."""
    return any(SPEAKERS[model].get(message.role) == "user" and marker in message.text for message in messages)


def _check_roles(roles: Sequence[str], model: str) -> None:
    if wrong := sorted(set(roles) - SPEAKERS[model].keys()):
        raise RefusedRequest(
            f"role {', '.join(wrong)} is not allowed among {list(roles)}; model '{model}' takes one system message "
            f"first (what the person wants), then {', '.join(SPEAKERS[model])}",
            "messages",
        )


def _describe_wrong_view(model: str) -> str:
    played, other_side, other = ("user", "assistant", FLIPPED) if model == NATURAL else ("assistant", "user", NATURAL)
    return (
        f"the last message has role '{played}', which for model '{model}' is the person played here, and they cannot "
        f"speak twice in a row; end with a message of role '{other_side}', or ask model '{other}' if your roles are "
        "exchanged"
    )
