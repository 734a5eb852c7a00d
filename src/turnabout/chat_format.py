"""The only chat templating: messages to tokens, with the exact spans a model is trained on or asked to write.

A tokenizer's chat template is read once, as the text it puts before and after each role's words. Conversations are then
encoded message by message: linear in their length, for any role order, and every token is known to be someone's.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from turnabout.errors import ModelError
from turnabout.generation.base import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: Added to a user model's vocabulary; written instead of a message when the person leaves (Naous et al. 2025, §2.3).
END_OF_CONVERSATION = "<|endconversation|>"


class Encoded(NamedTuple):
    """One sequence of T tokens and whether each is a target (trained on, or scored)."""

    input_ids: list[int]
    is_target: list[bool]


class Frame(NamedTuple):
    """What a template writes round the messages of a conversation.

    `opening` stands once at the start; `preamble` takes its place where no system message comes first, and holds the
    default one of templates that have such.
    """

    opening: str
    preamble: str
    headers: dict[str, str]
    footer: str


@dataclass(frozen=True)
class ChatFormat:
    """The chat template of one tokenizer as headers and a footer; made by `from_tokenizer`."""

    tokenizer: "PreTrainedTokenizerBase"
    frame: Frame
    _cache: dict[str, list[int]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def from_tokenizer(cls, tokenizer: "PreTrainedTokenizerBase") -> "ChatFormat":
        """Read the template. Raises `ModelError` where there is none, or where it is not message after message."""
        if not getattr(tokenizer, "chat_template", None):
            raise ModelError(
                f"{tokenizer.name_or_path}: the tokenizer has no chat template; use an instruction-tuned model, or "
                "set tokenizer.chat_template and save it beside the model"
            )
        form = cls(tokenizer, _read_frame(tokenizer))
        for roles in (["system", "user", "assistant", "user", "assistant"], ["user", "assistant", "user"]):
            probe: list[Message] = [{"role": role, "content": f"word {i}"} for i, role in enumerate(roles)]
            rendered = _rendered(tokenizer, probe)
            if form.render(probe) != rendered:
                raise ModelError(
                    f"{tokenizer.name_or_path}: the chat template is not prefix-stable: {rendered!r} is not its "
                    "messages one after another; give the tokenizer a template that renders a message the same "
                    "wherever it stands"
                )
        return form

    @cached_property
    def end_of_turn_id(self) -> int:
        """The token that ends every turn; always inside the loss."""
        return self._ids(self.frame.footer)[0]

    @cached_property
    def end_of_conversation_id(self) -> int | None:
        """The token with which a user model leaves, or None where the vocabulary has none."""
        return self.tokenizer.get_vocab().get(END_OF_CONVERSATION)

    def render(self, messages: Sequence[Message]) -> str:
        """The conversation as the template would write it, without an open header."""
        turns = (self._header(m["role"]) + m["content"] + self.frame.footer for m in messages)
        return self._start(messages) + "".join(turns)

    def prompt_ids(self, messages: Sequence[Message], speaks: str) -> list[int]:
        """Token ids of the history followed by the open header of the role that speaks next."""
        return self.encode(messages).input_ids + self._ids(self._header(speaks))

    def completion_ids(self, text: str) -> list[int]:
        """Token ids of one turn as its speaker writes it: the words and the end-of-turn token.

        Control tokens typed by a person are words like any other, never control.
        """
        words = text.replace(END_OF_CONVERSATION, "")
        ids = self.tokenizer(words, add_special_tokens=False, split_special_tokens=True).input_ids
        return [*ids, self.end_of_turn_id]

    def encode(self, messages: Sequence[Message], targets: Collection[int] = (), ends: bool = False) -> Encoded:
        """The conversation as tokens; the words and end-of-turn token of each message in `targets` are targets.

        With `ends`, a last user turn follows that holds the end-of-conversation token, also a target.
        """
        ids = list(self._ids(self._start(messages)))
        is_target = [False] * len(ids)
        turns = [(m["role"], self.completion_ids(m["content"]), i in targets) for i, m in enumerate(messages)]
        if ends:
            turns.append(("user", [*self._ids(END_OF_CONVERSATION), self.end_of_turn_id], True))
        rest = self._ids(self.frame.footer)[1:]
        for role, words, learn in turns:
            header = self._ids(self._header(role))
            ids += [*header, *words, *rest]
            is_target += [False] * len(header) + [learn] * len(words) + [False] * len(rest)
        return Encoded(ids, is_target)

    def length(self, message: Message) -> int:
        """Tokens one message takes up in a conversation, template included."""
        return len(self.encode([message]).input_ids) - len(self._ids(self._start([message])))

    def fit(self, messages: Sequence[Message], max_tokens: int) -> list[Message]:
        """The newest messages that fit into `max_tokens`, cut at a message boundary; a leading system message stays.

        At least the newest message is kept, whatever its length.
        """
        head = [m for m in messages[:1] if m["role"] == "system"]
        room = max_tokens - len(self._ids(self._start(head))) - sum(map(self.length, head))
        kept: list[Message] = []
        for message in reversed(messages[len(head) :]):
            room -= self.length(message)
            if room < 0 and kept:
                break
            kept.insert(0, message)
        return [*head, *kept]

    def _start(self, messages: Sequence[Message]) -> str:
        has_system = bool(messages) and messages[0]["role"] == "system"
        return self.frame.opening if has_system else self.frame.preamble

    def _header(self, role: str) -> str:
        if role not in self.frame.headers:
            raise ModelError(f"role '{role}' has no header in this chat template; known: {sorted(self.frame.headers)}")
        return self.frame.headers[role]

    def _ids(self, text: str) -> list[int]:
        if text not in self._cache:
            self._cache[text] = list(self.tokenizer(text, add_special_tokens=False).input_ids)
        return self._cache[text]


def _rendered(tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message]) -> str:
    """The template's own rendering of a conversation."""
    return str(
        tokenizer.apply_chat_template([{"role": m["role"], "content": m["content"]} for m in messages], tokenize=False)
    )


def _read_frame(tokenizer: "PreTrainedTokenizerBase") -> Frame:
    """The template's text round marked messages: opening, one header per role, and the footer all of them share."""
    roles = ["system", "user", "assistant", "user"]
    marks = [f"\x02{i}\x03" for i in range(len(roles))]
    probe: list[Message] = [{"role": role, "content": mark} for role, mark in zip(roles, marks, strict=True)]
    try:
        rest = _rendered(tokenizer, probe)
    except Exception as error:
        raise ModelError(f"{tokenizer.name_or_path}: the chat template refuses a system message: {error}") from error
    between = []
    for mark in marks:
        before, found, rest = rest.partition(mark)
        if not found:
            raise ModelError(f"{tokenizer.name_or_path}: the chat template changes or drops message contents")
        between.append(before)
    footer = rest
    headers = {role: before.removeprefix(footer) for role, before in zip(roles[1:], between[1:], strict=True)}
    bos = tokenizer.bos_token or ""
    # Some templates open every header with the BOS token; elsewhere it stands once, before the first header.
    opening = bos if bos and between[0].startswith(bos) and not headers["user"].startswith(bos) else ""
    alone = _rendered(tokenizer, [{"role": "user", "content": marks[0]}])
    preamble = alone.partition(marks[0])[0].removesuffix(headers["user"])
    return Frame(opening, preamble, {"system": between[0].removeprefix(opening), **headers}, footer)
