"""Words by which people judge the reply before: UR1 to UR5 of Don-Yehiya et al. (2024), as regular expressions."""

from collections.abc import Iterable
from importlib.resources import files
from typing import Annotated, ClassVar, Literal

import polars as pl
import yaml
from pydantic import Field

from turnabout.config import Section
from turnabout.feedback.base import Miner
from turnabout.feedback.signals import WHERE, signals

#: Stands where a phrase that never counts was taken out; no pattern matches it.
REMOVED = "\x00"

#: A phrase that begins a sentence follows the start, an end mark or a line break; one that ends a clause is followed by
#: anything but a word.
SENTENCE_START, CLAUSE_END = r"(?:^|[.!?\n])\W*", r"[^\S\n]*(?:$|[^\w\s'’`´]|\n)"


class Pattern(Section):
    """One entry of `patterns.yaml`: phrases of one category at one strength."""

    category: Literal["rephrase", "correction", "complaint", "clarification", "positive"]
    score: Annotated[float, Field(ge=-1, le=1)]
    confidence: Annotated[float, Field(gt=0, le=1)]
    message: tuple[str, ...] = ()
    opening: tuple[str, ...] = ()
    clause: tuple[str, ...] = ()
    anywhere: tuple[str, ...] = ()
    unless_reply: tuple[str, ...] = ()


class PatternBook(Section):
    """`patterns.yaml` as it stands on disk."""

    version: str
    fillers: list[str]
    never: list[str]
    patterns: list[Pattern]


BOOK = PatternBook.model_validate(yaml.safe_load((files(__package__) / "patterns.yaml").read_text(encoding="utf-8")))


class Rules(Miner):
    """Signals by the patterns of `patterns.yaml`: the first entry that matches, per follow-up and category.

    `positive` (UR5) is sat; `rephrase`, `correction` and `complaint` (UR1 to UR3) are dsat. `clarification` (UR4) is a
    weak dsat, score -0.3 and confidence 0.5: a question may be mere interest, so what trains should leave it out.
    A follow-up with any dsat signal gets no sat signal: "thanks, but that's wrong" is a polite complaint.
    """

    miner: Literal["rules"] = "rules"
    version: ClassVar[str] = BOOK.version
    reach: Annotated[int, Field(gt=0)] = 200
    """Characters of the follow-up that are searched; what comes later is a new request or pasted text."""

    def mine(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        """Signals whose span stands verbatim in the follow-up."""
        heard = exchanges.drop_nulls("follow_up").with_columns(
            heard=pl.col("follow_up").str.slice(0, self.reach).str.replace_all(anywhere(BOOK.never), REMOVED)
        )
        found = pl.concat(matches(heard, pattern) for pattern in BOOK.patterns)
        first = found.unique(["conversation_id", "reply_index", "category"], keep="first", maintain_order=True)
        judged = first.filter(
            (pl.col("score") < 0) | (pl.col("score").min().over("conversation_id", "reply_index") > 0)
        )
        return signals(judged, self.miner, self.version)


def matches(heard: pl.DataFrame, pattern: Pattern) -> pl.DataFrame:
    """The follow-ups that one entry matches, each with the matched words as `span`."""
    if pattern.unless_reply:
        heard = heard.filter(~pl.col("reply").str.contains(anywhere(pattern.unless_reply)))
    spans = pl.coalesce(pl.col("heard").str.extract(regex, 1) for regex in regexes(pattern))
    matched = heard.with_columns(span=spans).filter(pl.col("follow_up").str.contains(pl.col("span"), literal=True))
    return matched.select(
        *WHERE, "span", category=pl.lit(pattern.category), score=pattern.score, confidence=pattern.confidence
    )


def regexes(pattern: Pattern) -> list[str]:
    """One expression per place an entry's phrases may stand in; group 1 is the phrase."""
    fillers = rf"(?:(?:{joined(BOOK.fillers)})\W+){{0,3}}"
    places = [
        (pattern.message, rf"(?i)^\W*{fillers}({joined(pattern.message)})\W*$"),
        (pattern.clause, rf"(?i){SENTENCE_START}{fillers}({joined(pattern.clause)}){CLAUSE_END}"),
        (pattern.opening, rf"(?i){SENTENCE_START}{fillers}({joined(pattern.opening)})(?:\W|$)"),
        (pattern.anywhere, anywhere(pattern.anywhere)),
    ]
    return [regex for phrases, regex in places if phrases]


def anywhere(phrases: Iterable[str]) -> str:
    """An expression that finds any of the phrases at word borders, in either case; group 1 is the phrase."""
    return rf"(?i)\b({joined(phrases)})(?:\b|$)"


def joined(phrases: Iterable[str]) -> str:
    """The phrases as alternatives, with the file's shorthand for groups, blanks and apostrophes spelled out."""
    return "|".join(phrases).replace("(", "(?:").replace(" ", r"\s+").replace("'", "['’`´]?")
