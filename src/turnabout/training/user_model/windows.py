"""Conversations cut into training rows of bounded length.

Every user turn stays after the reply it answers.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import polars as pl

from turnabout.models.chat_format import ChatFormat, EncodedChat, EncodedTurn

#: Conversations tokenised at a time: enough to keep every core busy, few enough to need little memory.
CONVERSATIONS_AT_ONCE = 256


def cut_windows(chat: ChatFormat, samples: pl.DataFrame, max_length: int) -> tuple[list[EncodedChat], Counter[str]]:
    """Return conversations as rows of bounded length, and drop counts.

    A row has at most `max_length` tokens; the counts are of dropped parts, by reason. `samples` are
    `schemas.USER_SAMPLES`. A row begins with the intent as system message. A long conversation is cut after a user
    turn, so that each user turn stays with the reply it answers. If a row has tokens to spare, the messages before it
    are added as context without targets; so the end of the conversation, which is learnt in the last row, has as much
    context as fits. Every user turn is a target once.
    """
    rows: list[EncodedChat] = []
    dropped: Counter[str] = Counter()
    for head, turns in _tokenize(chat, samples):
        if not any(turn.is_target for turn in turns):
            dropped["conversation without a user turn"] += 1
        sizes = [chat.count_turn_tokens(turn) for turn in turns]
        max_tokens = max_length - len(chat.join_turns([head]).input_ids)
        spans, n_too_long = _split_into_spans(sizes, [turn.is_target for turn in turns], max_tokens)
        if n_too_long:
            dropped["turn longer than max_length"] += n_too_long
        for start, stop in spans:
            context = turns[_extend_left(sizes, start, stop, max_tokens) : start]
            without_targets = [turn._replace(is_target=False) for turn in context]
            rows.append(chat.join_turns([head, *without_targets, *turns[start:stop]]))
    return rows, dropped


def _tokenize(chat: ChatFormat, samples: pl.DataFrame) -> Iterator[tuple[EncodedTurn, list[EncodedTurn]]]:
    """Yield the intent of each conversation and its turns.

    If the person ended the conversation, the last turn is the end-of-conversation token.
    """
    for part in samples.iter_slices(CONVERSATIONS_AT_ONCE):
        conversations = part.to_dicts()
        texts: list[str] = []
        for conversation in conversations:
            texts.append(conversation["intent"])
            texts += [message["content"] for message in conversation["messages"]]
        ids = iter(chat.encode_completions(texts))
        for conversation in conversations:
            head = EncodedTurn("system", next(ids), False)
            targets = set(conversation["target_indexes"])
            messages = enumerate(conversation["messages"])
            turns = [EncodedTurn(message["role"], next(ids), index in targets) for index, message in messages]
            if conversation["ends"] and targets:
                turns.append(chat.build_end_turn())
            yield head, turns


def _split_into_spans(
    sizes: Sequence[int], is_target: Sequence[bool], max_tokens: int
) -> tuple[list[tuple[int, int]], int]:
    """Return the turns of each row, and how many units fit into no row.

    A row is given by its first turn and one past its last turn. A unit is a target with the messages since the target
    before it. Each row takes as many whole units as fit.
    """
    spans: list[tuple[int, int]] = []
    unit_start, n_too_long = 0, 0
    free = -1  # tokens that the last row can still take; -1 if the next unit has to open a row
    for stop in (index + 1 for index, is_end_of_unit in enumerate(is_target) if is_end_of_unit):
        size = sum(sizes[unit_start:stop])
        if size > max_tokens:
            n_too_long += 1
            free = -1
        elif size > free:
            spans.append((unit_start, stop))
            free = max_tokens - size
        else:
            spans[-1] = (spans[-1][0], stop)
            free -= size
        unit_start = stop
    return spans, n_too_long


def _extend_left(sizes: Sequence[int], start: int, stop: int, max_tokens: int) -> int:
    """Return the earliest turn from which everything up to `stop` still fits."""
    free = max_tokens - sum(sizes[start:stop])
    while start > 0 and sizes[start - 1] <= free:
        start -= 1
        free -= sizes[start]
    return start


def take_windows(windows: Sequence[EncodedChat], max_tokens: int | None) -> list[EncodedChat]:
    """Return the first windows, with at most `max_tokens` tokens in all.

    At least one window is returned, if there is one.
    """
    taken: list[EncodedChat] = []
    n_tokens = 0
    for window in windows:
        n_tokens += len(window.input_ids)
        if taken and max_tokens is not None and n_tokens > max_tokens:
            break
        taken.append(window)
    return taken
