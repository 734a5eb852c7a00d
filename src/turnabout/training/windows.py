"""Conversations cut into training rows of bounded length, in which no user turn loses the reply it answers."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from turnabout.chat_format import ChatFormat, Encoded
from turnabout.generation.base import Message


class Unit(NamedTuple):
    """What was said since the user's last turn, and their next one: the last message, or leaving where `ends`."""

    messages: list[Message]
    ends: bool


def windows(chat: ChatFormat, sample: dict[str, Any], max_length: int) -> tuple[list[Encoded], list[str]]:
    """One conversation (`schemas.USER_SAMPLES`) as rows of at most `max_length` tokens, and why parts were left out.

    A row begins with the intent as system message. A long conversation is cut in front of an assistant message, so a
    user turn is never learnt without the reply it answers; leaving is learnt after the last reply, in the last row.
    """
    head: Message = {"role": "system", "content": sample["intent"]}
    room = max_length - len(chat.encode([head]).input_ids)
    units = _units(sample)
    reasons = [] if units else ["conversation without a user turn"]
    packed: list[list[Unit]] = [[]]
    left = room
    for unit in units:
        length = len(chat.encode(unit.messages, ends=unit.ends).input_ids) - len(chat.encode([]).input_ids)
        if length > left:
            packed.append([])
            left = room
        if length > room:
            reasons.append("turn longer than max_length")
            continue
        packed[-1].append(unit)
        left -= length
    return [_encode(chat, head, window) for window in packed if window], reasons


def _units(sample: dict[str, Any]) -> list[Unit]:
    """The conversation cut after every target; what follows the last one matters only where the person then left."""
    units: list[Unit] = []
    since: list[Message] = []
    for index, message in enumerate(sample["messages"]):
        since.append(message)
        if index in sample["target_indexes"]:
            units.append(Unit(since, False))
            since = []
    return [*units, Unit(since, True)] if sample["ends"] and units else units


def _encode(chat: ChatFormat, head: Message, window: Sequence[Unit]) -> Encoded:
    messages, targets = [head], []
    for unit in window:
        messages += unit.messages
        if not unit.ends:
            targets.append(len(messages) - 1)
    return chat.encode(messages, targets, ends=window[-1].ends)
