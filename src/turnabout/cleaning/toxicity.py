"""Messages that insult, threaten or demean somebody, urge self-harm or are sexually explicit: flagged, never dropped.

What the log itself says comes first: sources put the verdict of a log's own moderation into `flags` as `toxic`. To it
are added the messages in which safetype (MIT, rules in its wheel for English, German, French, Spanish and others; knows
quotation and mention from use) finds a match said directly, with its rules changed by `toxicity.yaml`: swearing at
nobody is left out, more insults, threats, slurs and sexual terms in English are added.

`python -m benchmarks.toxicity` measures it against the word lists and the classifier that other packages ship.
What it misses: contempt in clean words, irony, most languages but English beyond gross words, letters set apart,
anything new. What it flags wrongly: fiction and reports in which somebody is abused without quotation marks.
"""

import re
from functools import cache, partial
from importlib import resources
from typing import TYPE_CHECKING, Any

import polars as pl
import yaml

if TYPE_CHECKING:
    from safetype import ModerationEngine

FLAG = "toxic"

#: Languages that safetype has rules for beside English, whose rules every message is held against.
LANGUAGES = ("de", "es", "fr", "hi", "pt")

#: Signs that stand for letters in a word that is to pass unseen.
DISGUISES = {"@": "a", "$": "s", "0": "o", "1": "i", "3": "e", "!": "i", "*": ""}

#: Border of a word. Of ASCII letters alone: others make the search a hundred times as slow in texts with curly quotes.
BORDER = r"(?-u:\b)"


def toxic(messages: pl.DataFrame) -> pl.Series:
    """Whether each message is toxic, one Boolean a row: by the rules for English and for its own `language`."""
    texts = messages.select("text", language=pl.col("language").replace_strict({i: i for i in LANGUAGES}, default="en"))
    verdict = pl.repeat(False, texts.height, eager=True)
    for language in texts["language"].unique().sort():
        said_in_it = texts["language"] == language
        suspect = texts.select(pl.when(said_in_it & _holds_word(language)).then("text")).to_series()
        verdict |= suspect.map_elements(partial(_is_abuse, language), return_dtype=pl.Boolean).fill_null(False)
    return verdict.alias("is_toxic")


def _holds_word(language: str) -> pl.Expr:
    """Whether a text holds a word that some rule needs: only then it is worth the rules' Python."""
    plain = pl.col("text").str.to_lowercase().str.normalize("NFKD").str.replace_all(r"[\u0300-\u036f]", "")
    undisguised = plain.str.replace_all(r"[!*]+(\W|$)", "$1").str.replace_many(DISGUISES)
    spelled = "|".join(map(_spelled, _words(language)))
    return plain.str.contains(spelled) | undisguised.str.contains(spelled)


def _spelled(word: str) -> str:
    """An expression for a word of a rule: `*` stands for any ending, and every letter may be drawn out (`diieee`)."""
    stem = word.rstrip("*")
    begins = rf"(?:{BORDER}|_)" if stem[0].isascii() else ""
    ends = rf"(?:{BORDER}|_)" if stem == word and stem[-1].isascii() else ""
    return begins + "".join(f"{letter}+" for letter in stem) + ends


def _is_abuse(language: str, text: str) -> bool:
    return any(match.context == "direct" for match in _engine(language).moderate(text).matches)


@cache
def _engine(language: str) -> "ModerationEngine":
    from safetype import create_moderation_engine

    changes = _changes()
    engine = create_moderation_engine(languages=sorted({"en", language}), rules=changes["added"])
    for rule in engine.get_rules():
        is_grave = rule["severity"] in ("high", "critical") or rule["category"] == "harassment"
        if not is_grave or rule["id"] in changes["dropped"]:
            engine.remove_rule(rule["id"])
    return engine


@cache
def _changes() -> dict[str, Any]:
    return dict(yaml.safe_load(resources.files(__package__).joinpath("toxicity.yaml").read_text(encoding="utf-8")))


@cache
def _words(language: str) -> list[str]:
    """Of every rule a word without which it cannot match, in all its readings."""
    return sorted({word for rule in _engine(language).get_rules() for word in _needed(rule["pattern"])})


def _needed(pattern: str) -> list[str]:
    """The readings of the best word of a pattern: `(you|u) (are)? (idiot*|fool)` needs `idiot*` or `fool`.

    Best is what fewest texts hold: of everyday words none, else few; then the longest, and the last of equals.
    """
    groups = [
        [reading.strip() for reading in (group or word).split("|")]
        for group, optional, word in re.findall(r"\(([^)]*)\)(\?)?|([^\s()?]+)", pattern)
        if not optional
    ]
    everyday = _changes()["everyday"]
    return max(reversed(groups), key=lambda words: (-sum(word in everyday for word in words), min(map(len, words))))
