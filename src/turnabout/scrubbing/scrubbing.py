"""Scrubbing of a table of messages.

A placeholder looks like `<email_1>`; its number counts within the conversation. Only texts that hold a trigger (a run
of digits, `@`, "my name is", …) are searched in Python; polars finds the triggers in Rust.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import polars as pl

from turnabout.scrubbing.conversation import ConversationScrubber
from turnabout.scrubbing.kinds import KINDS

#: Every column of a message that holds text written by people.
TEXT_COLUMNS = ("text", "edited_text", "alternatives", "extras")


class ScrubResult(NamedTuple):
    """Messages with placeholders, and the number of values replaced, by kind."""

    messages: pl.DataFrame
    n_by_kind: dict[str, int]


def scrub_messages(messages: pl.DataFrame, kinds: Collection[str]) -> ScrubResult:
    """Replace personal data of the given kinds in every text of the messages.

    The texts are `text`, `edited_text`, `alternatives` and the strings in `extras`. If a cue reveals the full name of a
    person anywhere in a conversation, the name is replaced in the whole conversation.
    """
    if not kinds:
        return ScrubResult(messages, {})
    kinds = tuple(kinds)
    keyed = messages.with_row_index("row").with_columns(triggered=_compute_trigger_masks(messages, kinds))
    counts: Counter[str] = Counter()
    changed: list[dict[str, Any]] = []
    names: dict[str, set[str]] = {}
    for key, rows in _group_by_conversation(keyed.filter(pl.col("triggered") > 0)):
        scrubber = ConversationScrubber()
        scrubbed_rows = _scrub_rows(scrubber, rows, kinds)
        if scrubber.full_names:
            names[key] = scrubber.full_names
        else:
            changed += scrubbed_rows
            counts += scrubber.counts
    # Conversations with full names are scrubbed again, as a whole: a name may stand in a message without a trigger.
    for key, rows in _group_by_conversation(keyed.filter(pl.col("conversation_id").is_in(list(names)))):
        scrubber = ConversationScrubber(names[key])
        changed += _scrub_rows(scrubber, rows, kinds)
        counts += scrubber.counts
    scrubbed = pl.DataFrame(changed, schema=keyed.select("row", *TEXT_COLUMNS).schema)
    updated = keyed.update(scrubbed, on="row", how="left", maintain_order="left").drop("row", "triggered")
    return ScrubResult(updated, {kind: counts[kind] for kind in kinds})


def _compute_trigger_masks(messages: pl.DataFrame, kinds: tuple[str, ...]) -> pl.Series:
    """Return a bit mask for each message, with one bit for each kind.

    Bit i is set if the message holds the trigger of kinds[i]. All bits are set if the JSON in `extras` has escapes,
    because an escape may hide a trigger. Each kind is searched for separately: in one joined pattern, polars' regex
    engine loses the literals that it jumps to.
    """
    is_escaped = pl.col("extras").str.contains(r"\\").fill_null(False)
    bits: dict[bool, list[pl.Expr]] = {needs: [pl.repeat(0, pl.len(), dtype=pl.Int32)] for needs in (True, False)}
    for index, kind in enumerate(kinds):
        is_triggered = _any_text_matches(KINDS[kind].trigger) | is_escaped
        bits[KINDS[kind].needs_digit].append(is_triggered.cast(pl.Int32) * 2**index)
    with_digit = messages.select(_any_text_matches(r"\d") | is_escaped).to_series().arg_true()
    masks = messages.select(triggered=pl.sum_horizontal(bits[False])).to_series()
    more = messages[with_digit].select(pl.sum_horizontal(bits[True])).to_series()
    return masks.scatter(with_digit, masks[with_digit] + more)


@cache
def _decode_mask(kinds: tuple[str, ...], mask: int) -> frozenset[str]:
    """Return the kinds whose bits are set in the mask."""
    return frozenset(kind for index, kind in enumerate(kinds) if mask >> index & 1)


def _any_text_matches(trigger: str) -> pl.Expr:
    r"""Build an expression: whether one of the texts of a message matches.

    `\b` becomes the ASCII word boundary. Words of a trigger that stand at a boundary begin and end in ASCII letters or
    digits, so the ASCII boundary accepts every text that the Unicode one does, and a few more. It keeps the search fast
    in texts that are not pure ASCII.
    """
    trigger = trigger.replace(r"\b", r"(?-u:\b)")
    return pl.any_horizontal(
        pl.col("text", "edited_text", "extras").str.contains(trigger).fill_null(False),
        pl.col("alternatives").list.join("\n").str.contains(trigger).fill_null(False),
    )


def _group_by_conversation(messages: pl.DataFrame) -> Iterator[tuple[str, Iterable[dict[str, Any]]]]:
    """Yield each conversation's id and its rows, in the order of its messages."""
    columns = ("row", "conversation_id", "triggered", *TEXT_COLUMNS)
    rows = messages.sort("conversation_id", "message_index").select(columns)
    return groupby(rows.iter_rows(named=True), key=itemgetter("conversation_id"))


def _scrub_rows(
    scrubber: ConversationScrubber, rows: Iterable[dict[str, Any]], kinds: tuple[str, ...]
) -> list[dict[str, Any]]:
    scrubbed = []
    for row in rows:
        texts = scrubber.scrub_message(row, _decode_mask(kinds, row["triggered"]))
        scrubbed.append({"row": row["row"], **texts})
    return scrubbed
