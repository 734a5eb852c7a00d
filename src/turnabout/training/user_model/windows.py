"""Conversations cut into training rows of bounded length, in which no user turn loses the reply it answers."""

from collections import Counter
from collections.abc import Iterator, Sequence

import polars as pl

from turnabout.models.chat_format import ChatFormat, Encoded, Turn

#: Conversations tokenised at a time: enough to keep every core busy, few enough to be no burden on memory.
AT_ONCE = 256


def windows(chat: ChatFormat, samples: pl.DataFrame, max_length: int) -> tuple[list[Encoded], Counter[str]]:
    """Conversations (`schemas.USER_SAMPLES`) as rows of at most `max_length` tokens; parts left out, by reason.

    A row begins with the intent as system message. A long conversation is cut in front of what was said since a user
    turn, so that none is learnt without the reply it answers. Room that a row has left is filled with the messages
    before it, as context that is not learnt again: so leaving, which is learnt in the last row, is seen from as far
    back as may be. Every user turn is a target once.
    """
    rows: list[Encoded] = []
    dropped: Counter[str] = Counter()
    for head, turns in _tokenised(chat, samples):
        if not any(turn.is_target for turn in turns):
            dropped["conversation without a user turn"] += 1
        sizes = [chat.size(turn) for turn in turns]
        room = max_length - len(chat.join([head]).input_ids)
        spans, too_long = _spans(sizes, [turn.is_target for turn in turns], room)
        if too_long:
            dropped["turn longer than max_length"] += too_long
        for start, stop in spans:
            context = turns[_first(sizes, start, stop, room) : start]
            unlearnt = [turn._replace(is_target=False) for turn in context]
            rows.append(chat.join([head, *unlearnt, *turns[start:stop]]))
    return rows, dropped


def _tokenised(chat: ChatFormat, samples: pl.DataFrame) -> Iterator[tuple[Turn, list[Turn]]]:
    """The intent of each conversation and its turns; where the person left, that is the last of them."""
    for part in samples.iter_slices(AT_ONCE):
        talks = part.to_dicts()
        texts = [text for talk in talks for text in (talk["intent"], *(m["content"] for m in talk["messages"]))]
        ids = iter(chat.completions(texts))
        for talk in talks:
            head = Turn("system", next(ids), False)
            learnt = set(talk["target_indexes"])
            turns = [Turn(m["role"], next(ids), i in learnt) for i, m in enumerate(talk["messages"])]
            yield head, [*turns, chat.leaving()] if talk["ends"] and learnt else turns


def _spans(sizes: Sequence[int], is_target: Sequence[bool], room: int) -> tuple[list[tuple[int, int]], int]:
    """First and one past the last turn of each row's own part, and how many units fit in no row.

    A unit is a target with what was said since the one before it; rows take whole units, as many as there is room for.
    """
    spans: list[tuple[int, int]] = []
    since, left, too_long = 0, -1, 0
    for stop in (index + 1 for index, learnt in enumerate(is_target) if learnt):
        size = sum(sizes[since:stop])
        if size > room:
            too_long += 1
            left = -1
        elif size > left:
            spans.append((since, stop))
            left = room - size
        else:
            spans[-1] = (spans[-1][0], stop)
            left -= size
        since = stop
    return spans, too_long


def _first(sizes: Sequence[int], start: int, stop: int, room: int) -> int:
    """The earliest turn from which on everything up to `stop` still fits."""
    left = room - sum(sizes[start:stop])
    while start > 0 and sizes[start - 1] <= left:
        start -= 1
        left -= sizes[start]
    return start


def within(found: Sequence[Encoded], max_tokens: int | None) -> list[Encoded]:
    """The first windows that together stay within `max_tokens`; at least one, where there is one."""
    used: list[Encoded] = []
    spent = 0
    for window in found:
        spent += len(window.input_ids)
        if used and max_tokens is not None and spent > max_tokens:
            break
        used.append(window)
    return used
