"""What a model's tokens say: the turn they spell, and whether the speaker left or ran out of room."""

from collections.abc import Sequence

from turnabout.generation.base import Completion
from turnabout.models.chat_format import ChatFormat


def end_ids(chat: ChatFormat) -> list[int]:
    """The tokens that end a turn: that of the template, then the one with which a user model leaves, if any."""
    return [token for token in (chat.end_of_turn_id, chat.end_of_conversation_id) if token is not None]


def prefill_ids(chat: ChatFormat, prefill: str) -> list[int]:
    """The tokens of the words that every turn has to begin with."""
    return list(chat.tokenizer(prefill, add_special_tokens=False).input_ids) if prefill else []


def turn(chat: ChatFormat, ids: Sequence[int], prefill: str) -> Completion:
    """The text up to the first end token. Words before an end-of-conversation token are the last message."""
    stops = [i for i, token in enumerate(ids) if token in end_ids(chat)]
    text = str(chat.tokenizer.decode(list(ids[: stops[0]] if stops else ids), skip_special_tokens=True))
    ended = bool(stops) and ids[stops[0]] == chat.end_of_conversation_id
    return Completion((prefill + text).strip(), ended, truncated=not stops)
