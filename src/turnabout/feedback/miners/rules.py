"""Words by which people judge the reply before: UR1 to UR5 of Don-Yehiya et al. (2024), as named patterns."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Annotated, ClassVar, Literal

import polars as pl
import yaml
from pydantic import Field

from turnabout.core.config import Section
from turnabout.feedback.base import Miner
from turnabout.feedback.miners.keywords import keywords
from turnabout.feedback.signals import WEAK, WHERE, signals

#: Stands where a phrase that never counts was taken out; no pattern matches it.
REMOVED = "\x00"

#: A phrase that begins a sentence follows the start, an end mark or a line break; one that ends a clause is followed by
#: anything but a word.
SENTENCE_START, CLAUSE_END = r"(?:^|[.!?\n])\W*", r"[^\S\n]*(?:$|[^\w\s'’`´]|\n)"


class NamedRule(Section):
    """One rule of `patterns.yaml`: phrases of one category at one strength."""

    name: str
    category: Literal["rephrase", "correction", "complaint", "clarification", "revision", "positive"]
    score: Annotated[float, Field(ge=-1, le=1)]
    confidence: Annotated[float, Field(gt=0, le=1)]
    message: tuple[str, ...] = ()
    opening: tuple[str, ...] = ()
    clause: tuple[str, ...] = ()
    anywhere: tuple[str, ...] = ()
    unless_reply: tuple[str, ...] = ()


class RuleBook(Section):
    """`patterns.yaml` as it stands on disk."""

    version: str
    words: dict[str, str]
    fillers: list[str]
    never: list[str]
    rules: list[NamedRule]


BOOK = RuleBook.model_validate(yaml.safe_load((files(__package__) / "patterns.yaml").read_text(encoding="utf-8")))


class Rules(Miner):
    """Signals by the rules of `patterns.yaml`: the first that matches, per follow-up and category.

    `positive` (UR5) is sat; `rephrase`, `correction` and `complaint` (UR1 to UR3) are dsat. `clarification` (UR4) and
    `revision` are weak dsat, score -0.3 and confidence 0.5: a question may be mere interest, a wish for another form
    the next step of the work, so what trains should leave them out. A change of topic says nothing. A follow-up with
    an outright dsat signal gets no sat signal: "thanks, but that's wrong" is a polite complaint.
    """

    miner: Literal["rules"] = "rules"
    version: ClassVar[str] = BOOK.version
    reach: Annotated[int, Field(gt=0)] = 200
    """Characters of the follow-up that are searched; what comes later is a new request or pasted text."""

    def mine(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        """Signals whose span stands verbatim in the follow-up."""
        said = exchanges.drop_nulls("follow_up").select(*WHERE, "reply", "follow_up")
        heard = said.with_columns(heard=pl.col("follow_up").str.slice(0, self.reach)).with_columns(cleared())
        found = pl.concat(matches(among(heard, rule), rule) for rule in BOOK.rules)
        first = found.unique(["conversation_id", "reply_index", "category"], keep="first", maintain_order=True)
        outright = (pl.col("score") < 0) & ~pl.col("category").is_in(WEAK)
        judged = first.filter((pl.col("score") < 0) | ~outright.any().over("conversation_id", "reply_index"))
        return signals(judged, self.miner, self.version)


def cleared() -> pl.Expr:
    """`heard` without the phrases that never count."""
    return pl.col("heard").str.replace_all(anywhere(BOOK.never), REMOVED)


def among(heard: pl.DataFrame, rule: NamedRule) -> pl.DataFrame:
    """The few follow-ups that the rule could match, by the words it needs: far cheaper than its expressions."""
    return heard.filter(pl.col("heard").str.contains_any(keywords_of(rule), ascii_case_insensitive=True))


def matches(heard: pl.DataFrame, rule: NamedRule) -> pl.DataFrame:
    """The follow-ups that one rule matches, each with the matched words as `span`."""
    if rule.unless_reply:
        heard = heard.filter(~pl.col("reply").str.contains(anywhere(rule.unless_reply)))
    spans = pl.coalesce(pl.col("heard").str.extract(regex, 1) for regex in regexes(rule))
    matched = heard.with_columns(span=spans).filter(pl.col("follow_up").str.contains(pl.col("span"), literal=True))
    return matched.select(
        *WHERE,
        "span",
        rule=pl.lit(rule.name),
        category=pl.lit(rule.category),
        score=rule.score,
        confidence=rule.confidence,
    )


def regexes(rule: NamedRule) -> list[str]:
    """One expression per place a rule's phrases may stand in; group 1 is the phrase."""
    fillers = rf"(?:(?:{joined(BOOK.fillers)})\W+){{0,3}}"
    places = [
        (rule.message, rf"(?i)^\W*{fillers}({joined(rule.message)})\W*$"),
        (rule.clause, rf"(?i){SENTENCE_START}{fillers}({joined(rule.clause)}){CLAUSE_END}"),
        (rule.opening, rf"(?i){SENTENCE_START}{fillers}({joined(rule.opening)})(?:\W|$)"),
        (rule.anywhere, anywhere(rule.anywhere)),
    ]
    return [regex for phrases, regex in places if phrases]


@cache
def keywords_of(rule: NamedRule) -> list[str]:
    """Words one of which stands in every follow-up that the rule matches."""
    return keywords(map(spelled, (*rule.message, *rule.clause, *rule.opening, *rule.anywhere)))


def anywhere(phrases: Iterable[str]) -> str:
    """An expression that finds any of the phrases at word borders, in either case; group 1 is the phrase."""
    return rf"(?i)\b({joined(phrases)})(?:\b|$)"


def joined(phrases: Iterable[str]) -> str:
    """The phrases as alternatives, with the file's shorthand for groups, blanks and apostrophes spelled out."""
    return "|".join(map(spelled, phrases)).replace("(", "(?:").replace(" ", r"\s+").replace("'", "['’`´]?")


def spelled(phrase: str) -> str:
    """The phrase with the entries of `words` in their places."""
    for name, words in BOOK.words.items():
        phrase = phrase.replace(f"<{name}>", words)
    return phrase
