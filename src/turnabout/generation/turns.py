"""Encoding of prefills and decoding of turns, for all local models."""

from collections.abc import Sequence

from turnabout.generation.base import Completion
from turnabout.models.chat_format import ChatFormat


def list_end_ids(chat: ChatFormat) -> list[int]:
    """Return the tokens that end a turn.

    The end-of-turn token, then the end-of-conversation token if there is one.
    """
    return [token for token in (chat.end_of_turn_id, chat.end_of_conversation_id) if token is not None]


def encode_prefill(chat: ChatFormat, prefill: str) -> list[int]:
    """Return the tokens of the text that every turn must begin with."""
    return list(chat.tokenizer(prefill, add_special_tokens=False).input_ids) if prefill else []


def decode_turn(chat: ChatFormat, ids: Sequence[int], prefill: str) -> Completion:
    """Return the text up to the first end token.

    Text before an end-of-conversation token is the last message. Without an end token, the turn is truncated.
    """
    stops = [i for i, token in enumerate(ids) if token in list_end_ids(chat)]
    text = str(chat.tokenizer.decode(list(ids[: stops[0]] if stops else ids), skip_special_tokens=True))
    ended = bool(stops) and ids[stops[0]] == chat.end_of_conversation_id
    return Completion((prefill + text).strip(), ended, truncated=not stops)
