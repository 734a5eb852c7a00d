"""Personal data replaced by typed placeholders that keep who is who within a conversation.

`write to Ann@x.com or ann@x.com, or @ann` becomes `write to <email_1> or <email_1>, or <handle_1>`: numbered by first
appearance in the conversation, the same value always the same number. What is looked for has a shape; names,
street addresses and what `extras` hold as a number stay.
"""

import json
import re
from collections import Counter
from collections.abc import Collection
from typing import Any, NamedTuple

import polars as pl

#: How each kind looks. Earlier kinds win where two begin at the same place. Every open-ended run has a bound or a
#: single place to begin, so that no text, however long, takes more than linear time.
SHAPES = {
    "url": r"(?:\b(?:https?|ftp)://|\bwww\.(?=\w))[^\s<>\"]*[^\s<>\"'.,;:!?)\]}]",
    "email": r"(?<![\w.+%-])[\w.+%-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}\b",
    "phone": r"""
        (?<![\w.,/$€£+-])(?:
            (?:\+|00)[1-9](?:[ ./()-]{0,2}\d){6,14}                          # +44 20 7946 0958, 0041 (0)44 668 18 00
            | (?!\d+\.\d{5})(?:1[ .-]?)?                                     # 1-555-234-5678, but not 555.2345678
              (?:\([2-9]\d\d\)[ ]?|[2-9]\d\d[ .-]?)[2-9]\d\d[ .-]?\d{4}     # (555) 234-5678, 5552345678
            | [2-9]\d\d-(?!\d\d00)\d{4}                                      # 555-1234, but not the range 500-1000
            | (?!\d\d[./-]\d\d[./-]\d{4})\(?0[1-9](?:[ ./()-]{0,2}\d){7,9}   # 06 12 34 56 78, but not 01.02.2018
        )(?!\w|[.,/:-]\d)
    """,
    "handle": r"(?<![\w@./])@[^\W\d][\w.-]{0,28}\w(?:@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24})?(?![\w/@])",
}

#: Every column of a message that holds what people wrote.
COLUMNS = ("text", "edited_text", "alternatives", "extras")

#: A quick test that every text with personal data passes, so that only those few are read closely.
SUSPECT = r"(?i)@|://|www\.|\d(?:\D{0,2}\d){6}"


class Scrubbed(NamedTuple):
    """Messages with placeholders, and how many values they replace, by kind."""

    messages: pl.DataFrame
    n_by_kind: dict[str, int]


def scrub(messages: pl.DataFrame, kinds: Collection[str]) -> Scrubbed:
    """The messages with every text of theirs scrubbed: `text`, `edited_text`, `alternatives`, strings in `extras`."""
    if not kinds:
        return Scrubbed(messages, {})
    suspect = pl.any_horizontal(
        pl.col("text", "edited_text", "extras").str.contains(SUSPECT).fill_null(False),
        pl.col("alternatives").list.join(" ").str.contains(SUSPECT).fill_null(False),
    )
    keyed = messages.with_row_index("row")
    suspects = keyed.filter(suspect).sort("conversation_id", "message_index")
    scrubbers: dict[str, Scrubber] = {}
    pattern = compile_shapes(kinds)
    changed = [
        {"row": row["row"], **scrubbers.setdefault(row["conversation_id"], Scrubber(pattern)).columns(row)}
        for row in suspects.select("row", "conversation_id", *COLUMNS).iter_rows(named=True)
    ]
    clean = pl.DataFrame(changed, schema=keyed.select("row", *COLUMNS).schema)
    updated = keyed.update(clean, on="row", how="left", maintain_order="left").drop("row")
    return Scrubbed(updated, {kind: sum(s.counts[kind] for s in scrubbers.values()) for kind in kinds})


def compile_shapes(kinds: Collection[str]) -> re.Pattern[str]:
    """One pattern with a named group for each wanted kind."""
    return re.compile("|".join(f"(?P<{kind}>{SHAPES[kind]})" for kind in SHAPES if kind in kinds), re.I | re.X)


class Scrubber:
    """What one conversation has shown so far: which value bears which number."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.pattern = pattern
        self.numbers: dict[str, dict[str, int]] = {}
        self.counts: Counter[str] = Counter()

    def columns(self, row: dict[str, Any]) -> dict[str, Any]:
        """The texts of one message, scrubbed in a fixed order."""
        return {
            "text": self.texts(row["text"]),
            "edited_text": self.texts(row["edited_text"]),
            "alternatives": self.texts(row["alternatives"]),
            "extras": row["extras"] and json.dumps(self.texts(json.loads(row["extras"])), ensure_ascii=False),
        }

    def texts(self, value: Any) -> Any:
        """A string scrubbed; lists and objects with every string in them scrubbed; anything else as it came."""
        if isinstance(value, str):
            return self.pattern.sub(self._placeholder, value)
        if isinstance(value, list):
            return [self.texts(item) for item in value]
        if isinstance(value, dict):
            return {self.texts(key): self.texts(item) for key, item in value.items()}
        return value

    def _placeholder(self, match: re.Match[str]) -> str:
        kind, value = str(match.lastgroup), match.group()
        known = self.numbers.setdefault(kind, {})
        same = re.sub(r"\D", "", value) if kind == "phone" else value.casefold()
        self.counts[kind] += 1
        return f"<{kind}_{known.setdefault(same, len(known) + 1)}>"
