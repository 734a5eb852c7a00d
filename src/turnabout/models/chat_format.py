"""The only chat templating: messages to tokens, with the exact spans a model is trained on or asked to write.

A tokenizer's chat template is read once (`chat_template`), as the text it puts before and after each role's words.
Conversations are then encoded message by message: linear in their length, for any role order, and every token is known
to be someone's.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from turnabout.core.messages import Message
from turnabout.models.chat_template import ChatFrame, parse_template

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: Added to a user model's vocabulary; written instead of a message when the person leaves (Naous et al. 2025, §2.3).
END_OF_CONVERSATION = "<|endconversation|>"


class EncodedChat(NamedTuple):
    """One sequence of T tokens and whether each is a target (trained on, or scored)."""

    input_ids: list[int]
    is_target: list[bool]


class EncodedTurn(NamedTuple):
    """One message as tokens, its end-of-turn token the last, and whether these are targets."""

    role: str
    ids: list[int]
    is_target: bool


@dataclass(frozen=True)
class ChatFormat:
    """The chat template of one tokenizer as headers and a footer; made by `from_tokenizer`."""

    tokenizer: "PreTrainedTokenizerBase"
    frame: ChatFrame
    _cache: dict[str, list[int]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def from_tokenizer(cls, tokenizer: "PreTrainedTokenizerBase") -> "ChatFormat":
        """Read the template. Raises `ModelError` where there is none, or where it is not message after message."""
        return cls(tokenizer, parse_template(tokenizer))

    @cached_property
    def end_of_turn_id(self) -> int:
        """The token that ends every turn; always inside the loss."""
        return self._ids(self.frame.footer)[0]

    @cached_property
    def end_of_conversation_id(self) -> int | None:
        """The token with which a user model leaves, or None where the vocabulary has none."""
        return self.tokenizer.get_vocab().get(END_OF_CONVERSATION)

    def encode_prompt(self, messages: Sequence[Message], speaks: str) -> list[int]:
        """Token ids of the history followed by the open header of the role that speaks next."""
        return self.encode(messages).input_ids + self._ids(self.frame.get_header(speaks))

    def encode_completion(self, text: str) -> list[int]:
        """Token ids of one turn as its speaker writes it: the words and the end-of-turn token.

        Control tokens typed by a person are words like any other, never control.
        """
        return self.encode_completions([text])[0]

    def encode_completions(self, texts: Sequence[str]) -> list[list[int]]:
        """The `completion_ids` of many texts at once, many times as fast: the tokenizer reads them side by side."""
        words = [_typed(text) for text in texts]
        if not words:
            return []
        read = self.tokenizer(words, add_special_tokens=False, split_special_tokens=True, return_attention_mask=False)
        return [[*ids, self.end_of_turn_id] for ids in read.input_ids]

    def encode(self, messages: Sequence[Message], targets: Collection[int] = (), ends: bool = False) -> EncodedChat:
        """The conversation as tokens; the words and end-of-turn token of each message in `targets` are targets.

        With `ends`, a last user turn follows that holds the end-of-conversation token, also a target.
        """
        said = self.encode_completions([m["content"] for m in messages])
        turns = [EncodedTurn(m["role"], ids, i in targets) for i, (m, ids) in enumerate(zip(messages, said, strict=True))]
        return self.join_turns([*turns, self.end_turn()] if ends else turns)

    def end_turn(self) -> EncodedTurn:
        """The turn in which the person leaves; a target."""
        return EncodedTurn("user", [*self._ids(END_OF_CONVERSATION), self.end_of_turn_id], True)

    def join_turns(self, turns: Sequence[EncodedTurn]) -> EncodedChat:
        """Turns as one conversation, each behind the header of its role."""
        ids = list(self._ids(self.frame.get_start(turns[0].role if turns else None)))
        is_target = [False] * len(ids)
        rest = self._ids(self.frame.footer)[1:]
        for role, words, learn in turns:
            header = self._ids(self.frame.get_header(role))
            ids += header
            ids += words
            ids += rest
            is_target += [False] * len(header)
            is_target += [learn] * len(words)
            is_target += [False] * len(rest)
        return EncodedChat(ids, is_target)

    def count_turn_tokens(self, turn: EncodedTurn) -> int:
        """Tokens one turn takes up in a conversation, template included."""
        return len(self._ids(self.frame.get_header(turn.role))) + len(turn.ids) + len(self._ids(self.frame.footer)) - 1

    def count_message_tokens(self, message: Message) -> int:
        """Tokens one message takes up in a conversation, template included."""
        return self.count_turn_tokens(EncodedTurn(message["role"], self.encode_completion(message["content"]), False))

    def keep_newest(self, messages: Sequence[Message], max_tokens: int) -> list[Message]:
        """The newest messages that fit into `max_tokens`, cut at a message boundary; a leading system message stays.

        At least the newest message is kept, whatever its length.
        """
        head = [m for m in messages[:1] if m["role"] == "system"]
        opening = self._ids(self.frame.get_start("system" if head else None))
        room = max_tokens - len(opening) - sum(map(self.count_message_tokens, head))
        kept: list[Message] = []
        for message in reversed(messages[len(head) :]):
            room -= self.count_message_tokens(message)
            if room < 0 and kept:
                break
            kept.insert(0, message)
        return [*head, *kept]

    def _ids(self, text: str) -> list[int]:
        if text not in self._cache:
            self._cache[text] = list(self.tokenizer(text, add_special_tokens=False).input_ids)
        return self._cache[text]


def _typed(text: str) -> str:
    """The text without end-of-conversation tokens, those included whose halves stood round another one."""
    while END_OF_CONVERSATION in text:
        text = text.replace(END_OF_CONVERSATION, "")
    return text
