"""What a tokenizer's chat template writes round messages: read once, and refused where a message's place changes it.

One sequence can stand for a sample per turn only where a message is written the same wherever it stands
(prefix-stable). Templates that trim the ends of a message are taken: its words are encoded as they were written.
"""

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

from turnabout.core.messages import Message
from turnabout.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: For base models, which come without a template: names of roles in plain text, and the token that ended every
#: document they were trained on as the end of a turn. Nothing in it has to be learnt from scratch.
PLAIN_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{{ (message['role'] | capitalize) + ':\n' + message['content'] + eos_token + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:\n' }}{% endif %}"
)

#: Role orders that a template must write message after message, with a system message and without.
PROBES = (["system", "user", "assistant", "user", "assistant"], ["user", "assistant", "user"])

ADVICE = "set tokenizer.chat_template to one that {does} and save the tokenizer in the model's folder"


class ChatFrame(NamedTuple):
    """What a template writes round the messages of a conversation.

    `opening` stands once at the start; `preamble` takes its place where no system message comes first, and holds the
    default one of templates that have such.
    """

    opening: str
    preamble: str
    headers: dict[str, str]
    footer: str

    def get_start(self, first_role: str | None) -> str:
        """What stands in front of a conversation whose first message is of this role."""
        return self.opening if first_role == "system" else self.preamble

    def get_header(self, role: str) -> str:
        """What opens a message of the role. Raises `ModelError` for one the template does not know."""
        if role not in self.headers:
            raise ModelError(f"role '{role}' has no header in this chat template; known: {sorted(self.headers)}")
        return self.headers[role]

    def render(self, messages: Sequence[Message]) -> str:
        """The conversation as the template would write it, without an open header."""
        turns = (self.get_header(m["role"]) + m["content"] + self.footer for m in messages)
        return self.get_start(messages[0]["role"] if messages else None) + "".join(turns)


def add_plain_template(tokenizer: "PreTrainedTokenizerBase") -> "PreTrainedTokenizerBase":
    """The tokenizer, given `PLAIN_TEMPLATE` where it has no template; saved with it, its folder holds the template.

    Raises `ModelError` where the tokenizer has no token that ends a text.
    """
    if tokenizer.chat_template:
        return tokenizer
    if tokenizer.eos_token is None:
        raise ModelError(
            f"{tokenizer.name_or_path}: the tokenizer has no end-of-text token to end turns with; set "
            "tokenizer.eos_token to the one the model was trained with"
        )
    tokenizer.chat_template = PLAIN_TEMPLATE
    return tokenizer


def parse_template(tokenizer: "PreTrainedTokenizerBase") -> ChatFrame:
    """The template's text round messages. Raises `ModelError` where it cannot be that of every conversation."""
    name = tokenizer.name_or_path
    if not tokenizer.chat_template:
        raise ModelError(
            f"{name}: the tokenizer has no chat template; use an instruction-tuned model, or give a base model one: "
            "turnabout.models.chat_template.add_plain_template(tokenizer).save_pretrained(its folder)"
        )
    frame = _taken_apart(tokenizer)
    for roles in PROBES:
        probe = _probe(roles)
        rendered = _rendered(tokenizer, probe)
        if (expected := frame.render(probe)) != rendered:
            at = next(i for i, (ours, theirs) in enumerate(zip_longest(expected, rendered)) if ours != theirs)
            raise ModelError(
                f"{name}: the chat template is not prefix-stable: of the roles {roles} it writes "
                f"{rendered[at:][:60]!r} where a message after the other would be {expected[at:][:60]!r}; "
                + ADVICE.format(does="writes a message the same wherever it stands")
            )
    _check_date(tokenizer)
    _check_end_of_turn(tokenizer, frame.footer)
    return frame


def _probe(roles: Sequence[str]) -> list[Message]:
    """Messages of these roles, no two alike."""
    return [{"role": role, "content": f"word {i}"} for i, role in enumerate(roles)]


def _rendered(tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message], **variables: Any) -> str:
    """The template's own rendering of a conversation."""
    plain = [{"role": message["role"], "content": message["content"]} for message in messages]
    try:
        return str(tokenizer.apply_chat_template(plain, tokenize=False, **variables))
    except Exception as error:  # templates raise what they like
        raise ModelError(
            f"{tokenizer.name_or_path}: the chat template refuses the roles {[m['role'] for m in messages]}: {error}; "
            + ADVICE.format(does="takes system, user and assistant messages")
        ) from error


def _taken_apart(tokenizer: "PreTrainedTokenizerBase") -> ChatFrame:
    """The text round marked messages: opening, one header per role, and the footer all of them share."""
    roles = ["system", "user", "assistant", "user"]
    marks = [f"\x02{i}\x03" for i in range(len(roles))]
    rest = _rendered(tokenizer, [{"role": role, "content": mark} for role, mark in zip(roles, marks, strict=True)])
    between = []
    for mark in marks:
        before, found, rest = rest.partition(mark)
        if not found:
            raise ModelError(
                f"{tokenizer.name_or_path}: the chat template changes or drops message contents; "
                + ADVICE.format(does="writes them as they are")
            )
        between.append(before)
    footer = rest
    headers = {role: before.removeprefix(footer) for role, before in zip(roles[1:], between[1:], strict=True)}
    bos = tokenizer.bos_token or ""
    # Some templates open every header with the BOS token; elsewhere it stands once, before the first header.
    opening = bos if bos and between[0].startswith(bos) and not headers["user"].startswith(bos) else ""
    alone = _rendered(tokenizer, [{"role": "user", "content": marks[0]}])
    preamble = alone.partition(marks[0])[0].removesuffix(headers["user"])
    return ChatFrame(opening, preamble, {"system": between[0].removeprefix(opening), **headers}, footer)


def _check_date(tokenizer: "PreTrainedTokenizerBase") -> None:
    """Raise `ModelError` where the template asks what day it is."""
    try:  # the function that templates ask is no function here, so a template that does fails
        _rendered(tokenizer, _probe(PROBES[0]), strftime_now="")
    except ModelError as error:
        raise ModelError(
            f"{tokenizer.name_or_path}: the chat template writes today's date, so tomorrow's prompts would differ from "
            "those learnt; " + ADVICE.format(does="holds a fixed date or none")
        ) from error


def _check_end_of_turn(tokenizer: "PreTrainedTokenizerBase", footer: str) -> None:
    """Raise `ModelError` where a turn ends with words: a person could write them, and the model would stop there."""
    ids = tokenizer(footer, add_special_tokens=False).input_ids
    control = {*tokenizer.all_special_ids, *tokenizer.get_added_vocab().values()}
    if not ids or ids[0] not in control:
        raise ModelError(
            f"{tokenizer.name_or_path}: the chat template ends a message with {footer!r}, which is no control token; "
            + ADVICE.format(does="ends every message with one token that no text holds, such as eos_token")
        )
