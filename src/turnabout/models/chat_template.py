"""Extraction and checks of the text a chat template writes around messages.

One sequence can replace a sample per turn only if the template writes a message in the same way at every position
(prefix-stable); other templates are refused. Templates that strip whitespace around a message are accepted: the text
of the message is encoded unstripped.
"""

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

from turnabout.core.messages import Message
from turnabout.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: Template for base models, which have none: role names in plain text, and as the end of a turn the token that ended
#: every document the model was trained on. The model need not learn any new token.
PLAIN_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{{ (message['role'] | capitalize) + ':\n' + message['content'] + eos_token + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:\n' }}{% endif %}"
)

#: Role orders that a template must write message by message, with and without a system message.
PROBES = (["system", "user", "assistant", "user", "assistant"], ["user", "assistant", "user"])

REMEDY = "set tokenizer.chat_template to one that {does} and save the tokenizer in the model's folder"


class ChatFrame(NamedTuple):
    """The text that a template writes around the messages of a conversation.

    `opening` is written once at the start. `preamble` replaces it where no system message comes first; it includes the
    default system message of templates that have one.
    """

    opening: str
    preamble: str
    headers: dict[str, str]
    footer: str

    def get_start(self, first_role: str | None) -> str:
        """Return the text before a conversation whose first message has this role."""
        return self.opening if first_role == "system" else self.preamble

    def get_header(self, role: str) -> str:
        """Return the text before a message of the role.

        Raises `ModelError` for an unknown role.
        """
        if role not in self.headers:
            raise ModelError(f"role '{role}' has no header in this chat template; known: {sorted(self.headers)}")
        return self.headers[role]

    def render(self, messages: Sequence[Message]) -> str:
        """Return the conversation as the template would write it.

        It ends without a header for the next message.
        """
        turns = (self.get_header(m["role"]) + m["content"] + self.footer for m in messages)
        return self.get_start(messages[0]["role"] if messages else None) + "".join(turns)


def add_plain_template(tokenizer: "PreTrainedTokenizerBase") -> "PreTrainedTokenizerBase":
    """Return the tokenizer with `PLAIN_TEMPLATE` where it has no template.

    A saved tokenizer includes the template. Raises `ModelError` where the tokenizer has no end-of-text token.
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


def extract_frame(tokenizer: "PreTrainedTokenizerBase") -> ChatFrame:
    """Return the template's text around messages.

    Raises `ModelError` where that text differs between conversations.
    """
    name = tokenizer.name_or_path
    if not tokenizer.chat_template:
        raise ModelError(
            f"{name}: the tokenizer has no chat template; use an instruction-tuned model, or give a base model one: "
            "turnabout.models.chat_template.add_plain_template(tokenizer).save_pretrained(its folder)"
        )
    frame = _split_template(tokenizer)
    for roles in PROBES:
        probe = _build_probe(roles)
        rendered = _render(tokenizer, probe)
        if (expected := frame.render(probe)) != rendered:
            at = next(i for i, (ours, theirs) in enumerate(zip_longest(expected, rendered)) if ours != theirs)
            raise ModelError(
                f"{name}: the chat template is not prefix-stable: for the roles {roles} it writes "
                f"{rendered[at:][:60]!r} where writing each message separately would give {expected[at:][:60]!r}; "
                + REMEDY.format(does="writes a message in the same way at every position")
            )
    _check_date(tokenizer)
    _check_end_of_turn(tokenizer, frame.footer)
    return frame


def _build_probe(roles: Sequence[str]) -> list[Message]:
    """Return messages of these roles with different contents."""
    return [{"role": role, "content": f"word {i}"} for i, role in enumerate(roles)]


def _render(tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message], **variables: Any) -> str:
    """Render a conversation with the template itself."""
    plain = [{"role": message["role"], "content": message["content"]} for message in messages]
    try:
        return str(tokenizer.apply_chat_template(plain, tokenize=False, **variables))
    except Exception as error:  # templates may raise anything
        raise ModelError(
            f"{tokenizer.name_or_path}: the chat template refuses the roles {[m['role'] for m in messages]}: {error}; "
            + REMEDY.format(does="takes system, user and assistant messages")
        ) from error


def _split_template(tokenizer: "PreTrainedTokenizerBase") -> ChatFrame:
    """Return the opening, one header per role, and the common footer.

    They are the text around marked messages.
    """
    roles = ["system", "user", "assistant", "user"]
    marks = [f"\x02{i}\x03" for i in range(len(roles))]
    rest = _render(tokenizer, [{"role": role, "content": mark} for role, mark in zip(roles, marks, strict=True)])
    between = []
    for mark in marks:
        before, separator, rest = rest.partition(mark)
        if not separator:
            raise ModelError(
                f"{tokenizer.name_or_path}: the chat template changes or drops message contents; "
                + REMEDY.format(does="writes them unchanged")
            )
        between.append(before)
    footer = rest
    headers = {role: before.removeprefix(footer) for role, before in zip(roles[1:], between[1:], strict=True)}
    bos = tokenizer.bos_token or ""
    # Some templates begin every header with the BOS token; others write it once, before the first header.
    opening = bos if bos and between[0].startswith(bos) and not headers["user"].startswith(bos) else ""
    without_system = _render(tokenizer, [{"role": "user", "content": marks[0]}])
    preamble = without_system.partition(marks[0])[0].removesuffix(headers["user"])
    headers["system"] = between[0].removeprefix(opening)
    return ChatFrame(opening=opening, preamble=preamble, headers=headers, footer=footer)


def _check_date(tokenizer: "PreTrainedTokenizerBase") -> None:
    """Raise `ModelError` where the template writes today's date."""
    try:  # templates call this function; here it is no function, so such a template fails
        _render(tokenizer, _build_probe(PROBES[0]), strftime_now="")
    except ModelError as error:
        raise ModelError(
            f"{tokenizer.name_or_path}: the chat template writes today's date, so tomorrow's prompts would differ from "
            "the training data; " + REMEDY.format(does="has a fixed date or none")
        ) from error


def _check_end_of_turn(tokenizer: "PreTrainedTokenizerBase", footer: str) -> None:
    """Raise `ModelError` where a turn ends with text, not a control token.

    A person could write that text, and the model would stop there.
    """
    ids = tokenizer(footer, add_special_tokens=False).input_ids
    control = {*tokenizer.all_special_ids, *tokenizer.get_added_vocab().values()}
    if not ids or ids[0] not in control:
        raise ModelError(
            f"{tokenizer.name_or_path}: the chat template ends a message with {footer!r}, which is no control token; "
            + REMEDY.format(does="ends every message with one token that no text contains, such as eos_token")
        )
