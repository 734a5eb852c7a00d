"""Which logged calls go on from which: every call repeats the history, so that most are the beginning of another.

A history is known by a hash of 64 bits of its person, roles, texts and tool calls. System messages do not count,
because clients write the time of day into them; nor does white space round a text. Memory is 32 bytes a call, and the
texts of replies to one and the same history.
"""

from array import array
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import NamedTuple

import msgspec
import numpy as np

from turnabout.sources.table.conversation import LoggedMessage
from turnabout.sources.traffic.calls import Call

#: Replies kept of those to one history; a person who asks more often is a program.
MOST_REPLIES = 16

#: Keys held unsorted before they are merged.
UNSORTED = 2**20


class Group(NamedTuple):
    """The replies that one person got to one history."""

    texts: list[str]
    last: int
    """Number of the last call whose reply is among the texts."""
    went_on: bool
    """Whether the person went on from one of the replies."""


class Keys:
    """A set of 64-bit keys in 8 bytes each."""

    def __init__(self) -> None:
        self._known = np.empty(0, np.uint64)
        self._new = array("Q")

    def update(self, keys: Iterable[int]) -> None:
        """Add the keys."""
        self._new.extend(keys)
        if len(self._new) > UNSORTED:
            self._merge()

    def __contains__(self, key: int) -> bool:
        """Whether a key was added."""
        if self._new:
            self._merge()
        place = int(np.searchsorted(self._known, np.uint64(key)))
        return place < len(self._known) and int(self._known[place]) == key

    def _merge(self) -> None:
        self._known = np.union1d(self._known, np.frombuffer(self._new, np.uint64))
        self._new = array("Q")


def keys_of(user: str | None, messages: Sequence[LoggedMessage]) -> list[int]:
    """For every message the key of the history up to and with it."""
    keys, key = [], blake2b((user or "").encode("utf-8", "replace"), digest_size=8).digest()
    for message in messages:
        if message.role != "system":
            told = msgspec.json.encode((message.role, message.text.strip(), message.extras.get("tool_calls")))
            key = blake2b(key + told, digest_size=8).digest()
        keys.append(int.from_bytes(key, "little"))
    return keys


def is_ones_own(call: Call) -> bool:
    """Whether its history is surely one person's: of a known user, or with a reply in it. Strangers all say hello."""
    return call.user is not None or any(message.role == "assistant" for message in call.history)


class Continuations:
    """What is known of the calls of one log: first `note` them all, then `gather` them all, then ask for each."""

    def __init__(self) -> None:
        self._went_on = Keys()
        self._asked = array("Q")
        self._replied, self._times = array("Q"), array("d")
        self._groups: dict[int, Group] = {}

    def note(self, call: Call) -> None:
        """Take down a call's history, and when its replies were given."""
        keys = keys_of(call.user, call.history)
        self._went_on.update(key for key, told in zip(keys, call.history, strict=True) if told.role == "assistant")
        if is_ones_own(call):
            self._asked.extend([keys[-1]] * len(call.replies))
        if call.at is not None:
            self._replied.extend(_reply_keys(call))
            self._times.extend([call.at.timestamp()] * len(call.replies))

    def noted(self) -> None:
        """End the taking down: from here on it is known which histories have several replies, and what went on."""
        histories, counts = np.unique(np.frombuffer(self._asked, np.uint64), return_counts=True)
        self._asked = array("Q")
        self._groups = {int(key): Group([], -1, False) for key in histories[counts > 1]}
        replied, first = np.unique(np.frombuffer(self._replied, np.uint64), return_index=True)
        self._given = replied, np.frombuffer(self._times, np.float64)[first]

    def gather(self, number: int, call: Call) -> None:
        """Take the texts of a call's replies where its history has several; calls are numbered in order."""
        key = keys_of(call.user, call.history)[-1]
        if key not in self._groups or not is_ones_own(call):
            return
        group = self._groups[key]
        new = dict.fromkeys(reply.text for reply in call.replies if reply.text not in group.texts)
        group.texts.extend(list(new)[: MOST_REPLIES - len(group.texts)])
        last = number if call.replies[0].text in group.texts else group.last
        self._groups[key] = Group(group.texts, last, group.went_on or self.is_gone_on_from(call))

    def is_gone_on_from(self, call: Call) -> bool:
        """Whether another call's history holds one of its replies."""
        return any(key in self._went_on for key in _reply_keys(call))

    def group_of(self, call: Call) -> Group | None:
        """All replies to the history of a call, where there are several calls or replies and it is one person's."""
        return self._groups.get(keys_of(call.user, call.history)[-1]) if is_ones_own(call) else None

    def completed(self, call: Call) -> list[LoggedMessage]:
        """History and first reply, every reply with its alternatives and with the time when it was given."""
        messages = [*call.history, call.replies[0]]
        keys = keys_of(call.user, messages)
        for index, message in enumerate(messages):
            if message.role == "assistant":
                group = self._groups.get(keys[index - 1]) if index else None
                others = [text for text in (group.texts if group else ()) if text != message.text]
                messages[index] = message._replace(at=self._time(keys[index]), alternatives=others or None)
        if not messages[-1].alternatives and len(call.replies) > 1:
            messages[-1] = messages[-1]._replace(alternatives=[reply.text for reply in call.replies[1:]])
        return messages

    def _time(self, key: int) -> datetime | None:
        replied, times = self._given
        place = int(np.searchsorted(replied, np.uint64(key)))
        is_known = place < len(replied) and int(replied[place]) == key
        return datetime.fromtimestamp(float(times[place]), UTC) if is_known else None


def _reply_keys(call: Call) -> list[int]:
    return [keys_of(call.user, [*call.history, reply])[-1] for reply in call.replies]
