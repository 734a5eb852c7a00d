"""Conversion of messages to tokens, with the spans of the targets.

This is the only place where chat templates are applied. A tokenizer's chat template is read once (`chat_template`), as
the text before and after each role's messages. Conversations are then encoded message by message: linear in their
length, for any role order, and the message of every token is known.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from turnabout.core.messages import Message
from turnabout.models.chat_template import ChatFrame, extract_frame

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: Added to a user model's vocabulary; written instead of a message to end the conversation (Naous et al. 2025, §2.3).
END_OF_CONVERSATION = "<|endconversation|>"


class EncodedChat(NamedTuple):
    """One sequence of T tokens, and whether each token is a target.

    Targets are trained on, or scored.
    """

    input_ids: list[int]
    is_target: list[bool]


class EncodedTurn(NamedTuple):
    """One message as tokens, and whether these are targets.

    The last token is the end-of-turn token.
    """

    role: str
    ids: list[int]
    is_target: bool


@dataclass(frozen=True)
class ChatFormat:
    """The chat template of one tokenizer as headers and a footer.

    Made by `from_tokenizer`.
    """

    tokenizer: "PreTrainedTokenizerBase"
    frame: ChatFrame
    _cache: dict[str, list[int]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def from_tokenizer(cls, tokenizer: "PreTrainedTokenizerBase") -> "ChatFormat":
        """Read the tokenizer's template.

        Raises `ModelError` where there is none, or where it does not write one message after the other.
        """
        return cls(tokenizer, extract_frame(tokenizer))

    @cached_property
    def end_of_turn_id(self) -> int:
        """The token that ends every turn; always part of the loss."""
        return self._encode_text(self.frame.footer)[0]

    @cached_property
    def end_of_conversation_id(self) -> int | None:
        """The end-of-conversation token, or None if the vocabulary has none.

        A user model ends the conversation with it.
        """
        return self.tokenizer.get_vocab().get(END_OF_CONVERSATION)

    def encode_prompt(self, messages: Sequence[Message], speaks: str) -> list[int]:
        """Return the tokens of the history and of the next speaker's header."""
        return self.encode(messages).input_ids + self._encode_text(self.frame.get_header(speaks))

    def encode_completion(self, text: str) -> list[int]:
        """Return the tokens of one turn: its text and the end-of-turn token.

        Control tokens that a person typed are encoded as ordinary text.
        """
        return self.encode_completions([text])[0]

    def encode_completions(self, texts: Sequence[str]) -> list[list[int]]:
        """Return `encode_completion` of many texts.

        Much faster than one by one, because the tokenizer works in parallel.
        """
        texts = [_strip_end_tokens(text) for text in texts]
        if not texts:
            return []
        encoding = self.tokenizer(
            texts, add_special_tokens=False, split_special_tokens=True, return_attention_mask=False
        )
        return [[*ids, self.end_of_turn_id] for ids in encoding.input_ids]

    def encode(self, messages: Sequence[Message], targets: Collection[int] = (), ends: bool = False) -> EncodedChat:
        """Return the conversation as tokens.

        The text and the end-of-turn token of each message whose index is in `targets` are targets. With `ends`, a last
        user turn follows, which is the end-of-conversation token; it is also a target.
        """
        contents = self.encode_completions([message["content"] for message in messages])
        turns = []
        for i, (message, ids) in enumerate(zip(messages, contents, strict=True)):
            turns.append(EncodedTurn(message["role"], ids, i in targets))
        return self.join_turns([*turns, self.build_end_turn()] if ends else turns)

    def build_end_turn(self) -> EncodedTurn:
        """Return the user turn that ends the conversation; it is a target."""
        return EncodedTurn("user", [*self._encode_text(END_OF_CONVERSATION), self.end_of_turn_id], True)

    def join_turns(self, turns: Sequence[EncodedTurn]) -> EncodedChat:
        """Return the turns as one conversation, each after the header of its role."""
        ids = list(self._encode_text(self.frame.get_start(turns[0].role if turns else None)))
        is_target = [False] * len(ids)
        rest_of_footer = self._encode_text(self.frame.footer)[1:]
        for turn in turns:
            header = self._encode_text(self.frame.get_header(turn.role))
            ids += header
            ids += turn.ids
            ids += rest_of_footer
            is_target += [False] * len(header)
            is_target += [turn.is_target] * len(turn.ids)
            is_target += [False] * len(rest_of_footer)
        return EncodedChat(ids, is_target)

    def count_turn_tokens(self, turn: EncodedTurn) -> int:
        """Return the number of tokens of one turn, template included."""
        n_header = len(self._encode_text(self.frame.get_header(turn.role)))
        return n_header + len(turn.ids) + len(self._encode_text(self.frame.footer)) - 1

    def count_message_tokens(self, message: Message) -> int:
        """Return the number of tokens of one message, template included."""
        return self.count_turn_tokens(EncodedTurn(message["role"], self.encode_completion(message["content"]), False))

    def keep_newest(self, messages: Sequence[Message], max_tokens: int) -> list[Message]:
        """Return the newest messages that fit into `max_tokens`.

        The conversation is cut at a message boundary. A leading system message always stays. At least the newest
        message is kept, whatever its length.
        """
        head = [message for message in messages[:1] if message["role"] == "system"]
        start = self._encode_text(self.frame.get_start("system" if head else None))
        n_left = max_tokens - len(start) - sum(map(self.count_message_tokens, head))
        kept: list[Message] = []
        for message in reversed(messages[len(head) :]):
            n_left -= self.count_message_tokens(message)
            if n_left < 0 and kept:
                break
            kept.insert(0, message)
        return [*head, *kept]

    def _encode_text(self, text: str) -> list[int]:
        if text not in self._cache:
            self._cache[text] = list(self.tokenizer(text, add_special_tokens=False).input_ids)
        return self._cache[text]


def _strip_end_tokens(text: str) -> str:
    """Return the text without end-of-conversation tokens.

    This includes tokens whose halves are joined by the removal of another one.
    """
    while END_OF_CONVERSATION in text:
        text = text.replace(END_OF_CONVERSATION, "")
    return text
