"""Miner `rules`: named English patterns.

They find UR1 to UR5 of Don-Yehiya et al. (2024).
"""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Annotated, ClassVar, Literal

import polars as pl
import yaml
from pydantic import Field

from turnabout.core.config import Section
from turnabout.core.conversations import REPLY_KEY
from turnabout.feedback.base import Miner
from turnabout.feedback.miners.keywords import extract_keywords
from turnabout.feedback.signals import EVIDENCE_KEY, WEAK, build_signals

#: Replaces a phrase that never counts; no pattern matches it.
REMOVED = "\x00"

#: A phrase that begins a sentence follows the start, a punctuation mark or a line break. A phrase that ends a clause is
#: followed by anything but a word.
SENTENCE_START, CLAUSE_END = r"(?:^|[.!?\n])\W*", r"[^\S\n]*(?:$|[^\w\s'’`´]|\n)"


class NamedRule(Section):
    """One rule of `patterns.yaml`.

    Its phrases have one category, one score and one confidence.
    """

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
    """The content of `patterns.yaml`."""

    version: str
    words: dict[str, str]
    fillers: list[str]
    never: list[str]
    rules: list[NamedRule]


RULE_BOOK = RuleBook.model_validate(yaml.safe_load((files(__package__) / "patterns.yaml").read_text(encoding="utf-8")))


class Rules(Miner):
    """Signals by the rules of `patterns.yaml`.

    Of each category, the first rule that matches a follow-up gives the signal. `positive` (UR5) is sat; `rephrase`,
    `correction` and `complaint` (UR1 to UR3) are dsat. `clarification` (UR4) and `revision` are weak dsat with score
    -0.3 and confidence 0.5: a question may be mere interest, and a request for another form may be the next step of the
    work, so training should leave them out. A change of topic is no signal. A follow-up with a dsat signal that is not
    weak gets no sat signal: "thanks, but that's wrong" is a polite complaint.
    """

    miner: Literal["rules"] = "rules"
    version: ClassVar[str] = RULE_BOOK.version
    languages: ClassVar[frozenset[str] | None] = frozenset({"en"})
    reach: Annotated[int, Field(gt=0)] = 200
    """Characters of the follow-up that are searched; what comes later is a new request or pasted text."""

    def mine(self, exchanges: pl.DataFrame) -> pl.DataFrame:
        """Return signals whose span is in the follow-up verbatim."""
        follow_ups = exchanges.drop_nulls("follow_up").select(*EVIDENCE_KEY, "reply", "follow_up")
        searched = follow_ups.with_columns(searched=pl.col("follow_up").str.slice(0, self.reach)).with_columns(
            remove_ignored_phrases()
        )
        matches = pl.concat(match_rule(select_candidates(searched, rule), rule) for rule in RULE_BOOK.rules)
        first = matches.unique([*REPLY_KEY, "category"], keep="first", maintain_order=True)
        is_dsat = pl.col("score") < 0
        is_strong_dsat = is_dsat & ~pl.col("category").is_in(WEAK)
        findings = first.filter(is_dsat | ~is_strong_dsat.any().over(REPLY_KEY))
        return build_signals(findings, self.miner, self.version)


def remove_ignored_phrases() -> pl.Expr:
    """Return the column `searched` without the phrases that never count."""
    return pl.col("searched").str.replace_all(build_anywhere_regex(RULE_BOOK.never), REMOVED)


def select_candidates(searched: pl.DataFrame, rule: NamedRule) -> pl.DataFrame:
    """Return the few follow-ups that contain a keyword of the rule.

    This is far cheaper than the rule's expressions.
    """
    return searched.filter(
        pl.col("searched").str.contains_any(extract_rule_keywords(rule), ascii_case_insensitive=True)
    )


def match_rule(searched: pl.DataFrame, rule: NamedRule) -> pl.DataFrame:
    """Return the follow-ups that a rule matches; `span` is the matched words."""
    if rule.unless_reply:
        searched = searched.filter(~pl.col("reply").str.contains(build_anywhere_regex(rule.unless_reply)))
    spans = pl.coalesce(pl.col("searched").str.extract(regex, 1) for regex in build_regexes(rule))
    matched = searched.with_columns(span=spans).filter(pl.col("follow_up").str.contains(pl.col("span"), literal=True))
    return matched.select(
        *EVIDENCE_KEY,
        "span",
        rule=pl.lit(rule.name),
        category=pl.lit(rule.category),
        score=rule.score,
        confidence=rule.confidence,
    )


def build_regexes(rule: NamedRule) -> list[str]:
    """Build one expression per position that a rule's phrases may have.

    Group 1 is the phrase.
    """
    fillers = rf"(?:(?:{join_phrases(RULE_BOOK.fillers)})\W+){{0,3}}"
    positions = [
        (rule.message, rf"(?i)^\W*{fillers}({join_phrases(rule.message)})\W*$"),
        (rule.clause, rf"(?i){SENTENCE_START}{fillers}({join_phrases(rule.clause)}){CLAUSE_END}"),
        (rule.opening, rf"(?i){SENTENCE_START}{fillers}({join_phrases(rule.opening)})(?:\W|$)"),
        (rule.anywhere, build_anywhere_regex(rule.anywhere)),
    ]
    return [regex for phrases, regex in positions if phrases]


@cache
def extract_rule_keywords(rule: NamedRule) -> list[str]:
    """Return words of which every match of the rule contains at least one."""
    return extract_keywords(map(expand_words, (*rule.message, *rule.clause, *rule.opening, *rule.anywhere)))


def build_anywhere_regex(phrases: Iterable[str]) -> str:
    """Build an expression for any of the phrases at word borders.

    It ignores case; group 1 is the phrase.
    """
    return rf"(?i)\b({join_phrases(phrases)})(?:\b|$)"


def join_phrases(phrases: Iterable[str]) -> str:
    """Join phrases as alternatives of a regular expression.

    The file's shorthand for groups, blanks and apostrophes is expanded.
    """
    return "|".join(map(expand_words, phrases)).replace("(", "(?:").replace(" ", r"\s+").replace("'", "['’`´]?")


def expand_words(phrase: str) -> str:
    """Replace every `<name>` in a phrase by the entry of that name in `words`."""
    for name, words in RULE_BOOK.words.items():
        phrase = phrase.replace(f"<{name}>", words)
    return phrase
