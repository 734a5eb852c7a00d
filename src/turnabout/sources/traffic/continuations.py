"""Which logged calls continue which.

Every call repeats the history, so most calls are the beginning of another. A history is known by a 64-bit hash of its
person, roles, texts and tool calls. System messages do not count, because clients write the time of day into them; nor
does white space around a text. Memory is 32 bytes a call, plus the texts of replies to the same history.
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

#: Greatest number of replies kept to one history; a person who asks more often is a program.
MAX_REPLIES = 16

#: Number of keys held unsorted before they are merged.
MAX_UNSORTED = 2**20


class ReplyGroup(NamedTuple):
    """The replies that one person got to one history."""

    texts: list[str]
    last_call: int
    """Number of the last call whose reply is among the texts."""
    is_continued: bool
    """Whether the person continued one of the replies."""


class KeySet:
    """A set of 64-bit keys in 8 bytes each."""

    def __init__(self) -> None:
        self._sorted = np.empty(0, np.uint64)
        self._unsorted = array("Q")

    def update(self, keys: Iterable[int]) -> None:
        """Add the keys."""
        self._unsorted.extend(keys)
        if len(self._unsorted) > MAX_UNSORTED:
            self._merge_unsorted()

    def __contains__(self, key: int) -> bool:
        """Return whether a key was added."""
        if self._unsorted:
            self._merge_unsorted()
        index = int(np.searchsorted(self._sorted, np.uint64(key)))
        return index < len(self._sorted) and int(self._sorted[index]) == key

    def _merge_unsorted(self) -> None:
        self._sorted = np.union1d(self._sorted, np.frombuffer(self._unsorted, np.uint64))
        self._unsorted = array("Q")


def hash_histories(user: str | None, messages: Sequence[LoggedMessage]) -> list[int]:
    """Return for each message the key of the history up to and including it."""
    keys, key = [], blake2b((user or "").encode("utf-8", "replace"), digest_size=8).digest()
    for message in messages:
        if message.role != "system":
            content = msgspec.json.encode((message.role, message.text.strip(), message.extras.get("tool_calls")))
            key = blake2b(key + content, digest_size=8).digest()
        keys.append(int.from_bytes(key, "little"))
    return keys


def is_one_persons(call: Call) -> bool:
    """Return whether equal histories of this call are certainly one person's.

    They are if the user is known or the history holds a reply. Without either, different people begin with the same
    words, such as "hello".
    """
    return call.user is not None or any(message.role == "assistant" for message in call.history)


class Continuations:
    """Index of the calls of one log.

    First `add_history` of every call, then `close_histories`, then `add_replies` of every call; after that it answers
    for each call.
    """

    def __init__(self) -> None:
        self._continued_keys = KeySet()
        self._history_keys = array("Q")
        self._reply_keys, self._reply_times = array("Q"), array("d")
        self._groups: dict[int, ReplyGroup] = {}

    def add_history(self, call: Call) -> None:
        """Add a call's history, and the time of its replies."""
        keys = hash_histories(call.user, call.history)
        messages = zip(keys, call.history, strict=True)
        self._continued_keys.update(key for key, message in messages if message.role == "assistant")
        if is_one_persons(call):
            self._history_keys.extend([keys[-1]] * len(call.replies))
        if call.at is not None:
            self._reply_keys.extend(_hash_replies(call))
            self._reply_times.extend([call.at.timestamp()] * len(call.replies))

    def close_histories(self) -> None:
        """Find the histories with several replies, and sort the times of replies."""
        histories, counts = np.unique(np.frombuffer(self._history_keys, np.uint64), return_counts=True)
        self._history_keys = array("Q")
        for key in histories[counts > 1]:
            self._groups[int(key)] = ReplyGroup([], last_call=-1, is_continued=False)
        keys, first = np.unique(np.frombuffer(self._reply_keys, np.uint64), return_index=True)
        self._times_by_key = keys, np.frombuffer(self._reply_times, np.float64)[first]

    def add_replies(self, number: int, call: Call) -> None:
        """Add the texts of a call's replies if its history has several.

        `number` is the call's position in the log.
        """
        key = hash_histories(call.user, call.history)[-1]
        if key not in self._groups or not is_one_persons(call):
            return
        group = self._groups[key]
        new = dict.fromkeys(reply.text for reply in call.replies if reply.text not in group.texts)
        group.texts.extend(list(new)[: MAX_REPLIES - len(group.texts)])
        last_call = number if call.replies[0].text in group.texts else group.last_call
        self._groups[key] = ReplyGroup(group.texts, last_call, group.is_continued or self.is_continued(call))

    def is_continued(self, call: Call) -> bool:
        """Return whether another call's history holds one of its replies."""
        return any(key in self._continued_keys for key in _hash_replies(call))

    def find_group(self, call: Call) -> ReplyGroup | None:
        """Return all replies to the history of a call.

        Null where there is a single call with a single reply, or where the history may be several people's.
        """
        return self._groups.get(hash_histories(call.user, call.history)[-1]) if is_one_persons(call) else None

    def complete_messages(self, call: Call) -> list[LoggedMessage]:
        """Return the history and the first reply.

        Each reply has its alternatives and its time.
        """
        messages = [*call.history, call.replies[0]]
        keys = hash_histories(call.user, messages)
        for index, message in enumerate(messages):
            if message.role == "assistant":
                group = self._groups.get(keys[index - 1]) if index else None
                alternatives = [text for text in (group.texts if group else ()) if text != message.text]
                time = self._find_time(keys[index])
                messages[index] = message._replace(at=time, alternatives=alternatives or None)
        if not messages[-1].alternatives and len(call.replies) > 1:
            messages[-1] = messages[-1]._replace(alternatives=[reply.text for reply in call.replies[1:]])
        return messages

    def _find_time(self, key: int) -> datetime | None:
        keys, times = self._times_by_key
        index = int(np.searchsorted(keys, np.uint64(key)))
        is_known = index < len(keys) and int(keys[index]) == key
        return datetime.fromtimestamp(float(times[index]), UTC) if is_known else None


def _hash_replies(call: Call) -> list[int]:
    return [hash_histories(call.user, [*call.history, reply])[-1] for reply in call.replies]
