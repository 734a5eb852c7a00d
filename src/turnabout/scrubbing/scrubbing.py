"""Messages with personal data replaced by placeholders such as `<email_1>`, numbered within each conversation.

Only texts that hold a trigger (a digit run, `@`, "my name is", …) are read closely; polars finds those in Rust.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import polars as pl

from turnabout.scrubbing.conversation import Conversation
from turnabout.scrubbing.kinds import KINDS

#: Every column of a message that holds what people wrote.
COLUMNS = ("text", "edited_text", "alternatives", "extras")


class Scrubbed(NamedTuple):
    """Messages with placeholders, and how many values they replace, by kind."""

    messages: pl.DataFrame
    n_by_kind: dict[str, int]


def scrub(messages: pl.DataFrame, kinds: Collection[str]) -> Scrubbed:
    """The messages with every text of theirs scrubbed: `text`, `edited_text`, `alternatives`, strings in `extras`.

    The full name of a person whom a cue gave away anywhere in a conversation is replaced in all of that conversation.
    """
    if not kinds:
        return Scrubbed(messages, {})
    kinds = tuple(kinds)
    keyed = messages.with_row_index("row").with_columns(triggered=_triggered(messages, kinds))
    counts: Counter[str] = Counter()
    changed: list[dict[str, Any]] = []
    names: dict[str, set[str]] = {}
    for key, rows in _conversations(keyed.filter(pl.col("triggered") > 0)):
        conversation = Conversation()
        read = _read(conversation, rows, kinds)
        if conversation.full_names:
            names[key] = conversation.full_names
        else:
            changed += read
            counts += conversation.counts
    for key, rows in _conversations(keyed.filter(pl.col("conversation_id").is_in(list(names)))):
        conversation = Conversation(names[key])
        changed += _read(conversation, rows, kinds)
        counts += conversation.counts
    clean = pl.DataFrame(changed, schema=keyed.select("row", *COLUMNS).schema)
    updated = keyed.update(clean, on="row", how="left", maintain_order="left").drop("row", "triggered")
    return Scrubbed(updated, {kind: counts[kind] for kind in kinds})


def _triggered(messages: pl.DataFrame, kinds: tuple[str, ...]) -> pl.Series:
    """The kinds whose triggers each message holds, bit i for kinds[i]; all where JSON has escapes, which may hide one.

    One search per kind: joined into one pattern they lose the literals that polars' regex engine jumps to.
    """
    is_escaped = pl.col("extras").str.contains(r"\\").fill_null(False)
    bits: dict[bool, list[pl.Expr]] = {needs: [pl.repeat(0, pl.len(), dtype=pl.Int32)] for needs in (True, False)}
    for place, kind in enumerate(kinds):
        found = _holds(KINDS[kind].trigger) | is_escaped
        bits[KINDS[kind].needs_digit].append(found.cast(pl.Int32) * 2**place)
    with_digit = messages.select(_holds(r"\d") | is_escaped).to_series().arg_true()
    masks = messages.select(triggered=pl.sum_horizontal(bits[False])).to_series()
    more = messages[with_digit].select(pl.sum_horizontal(bits[True])).to_series()
    return masks.scatter(with_digit, masks[with_digit] + more)


@cache
def _chosen(kinds: tuple[str, ...], mask: int) -> frozenset[str]:
    """The kinds whose bits are set."""
    return frozenset(kind for place, kind in enumerate(kinds) if mask >> place & 1)


def _holds(trigger: str) -> pl.Expr:
    """Whether one of the texts of a message matches.

    Words of a trigger that stand at a border begin and end in ASCII letters or digits, so an ASCII border passes every
    text that a Unicode one does, and a few more; it keeps the search fast in texts that are not pure ASCII.
    """
    trigger = trigger.replace(r"\b", r"(?-u:\b)")
    return pl.any_horizontal(
        pl.col("text", "edited_text", "extras").str.contains(trigger).fill_null(False),
        pl.col("alternatives").list.join("\n").str.contains(trigger).fill_null(False),
    )


def _conversations(messages: pl.DataFrame) -> Iterator[tuple[str, Iterable[dict[str, Any]]]]:
    """The rows of each conversation, in the order in which they were said."""
    rows = messages.sort("conversation_id", "message_index").select("row", "conversation_id", "triggered", *COLUMNS)
    return groupby(rows.iter_rows(named=True), key=itemgetter("conversation_id"))


def _read(conversation: Conversation, rows: Iterable[dict[str, Any]], kinds: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{"row": row["row"], **conversation.scrub(row, _chosen(kinds, row["triggered"]))} for row in rows]
