"""Detection of toxic messages, which are flagged and never dropped.

Toxic messages insult, threaten or demean somebody, urge self-harm or are sexually explicit. Sources put the verdict of
a log's own moderation into `flags` as `toxic`. This module adds the messages in which safetype finds a direct match.
safetype (MIT) ships rules for English, German, French, Spanish and other languages, and tells use from quotation and
mention. `toxicity.yaml` changes its rules: swearing that is aimed at nobody is left out; more insults, threats, slurs
and sexual terms in English are added.

`python -m benchmarks.toxicity` compares it with the word lists and the classifier that other packages ship. It misses
contempt in clean words, irony, most of what is not English beyond gross words, letters set apart, and new expressions.
It wrongly flags fiction and reports in which somebody is abused without quotation marks.
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

#: Languages other than English with rules in safetype. The rules for English are applied to every message.
LANGUAGES = ("de", "es", "fr", "hi", "pt")

#: Signs that replace letters in a disguised word.
DISGUISES = {"@": "a", "$": "s", "0": "o", "1": "i", "3": "e", "!": "i", "*": ""}

#: Word boundary for ASCII letters. The Unicode one makes the search a hundred times slower in texts with curly quotes.
BORDER = r"(?-u:\b)"


def detect_toxicity(messages: pl.DataFrame) -> pl.Series:
    """Return whether each message is toxic, one Boolean a row (`is_toxic`).

    A message is checked by the rules for English and for its own `language`.
    """
    texts = messages.select("text", language=pl.col("language").replace_strict({i: i for i in LANGUAGES}, default="en"))
    verdict = pl.repeat(False, texts.height, eager=True)
    for language in texts["language"].unique().sort():
        is_in_language = texts["language"] == language
        suspect = texts.select(pl.when(is_in_language & _has_rule_word(language)).then("text")).to_series()
        verdict |= suspect.map_elements(partial(_is_abuse, language), return_dtype=pl.Boolean).fill_null(False)
    return verdict.alias("is_toxic")


def _has_rule_word(language: str) -> pl.Expr:
    """Build an expression: whether a text holds a word that some rule needs.

    Only these texts are given to the rules, which run in Python.
    """
    plain = pl.col("text").str.to_lowercase().str.normalize("NFKD").str.replace_all(r"[\u0300-\u036f]", "")
    undisguised = plain.str.replace_all(r"[!*]+(\W|$)", "$1").str.replace_many(DISGUISES)
    spelled = "|".join(map(_spelling_pattern, _list_rule_words(language)))
    return plain.str.contains(spelled) | undisguised.str.contains(spelled)


def _spelling_pattern(word: str) -> str:
    """Return a regex for a word of a rule.

    `*` at the end stands for any ending, and every letter may be repeated (`diieee`).
    """
    stem = word.rstrip("*")
    begins = rf"(?:{BORDER}|_)" if stem[0].isascii() else ""
    ends = rf"(?:{BORDER}|_)" if stem == word and stem[-1].isascii() else ""
    return begins + "".join(f"{letter}+" for letter in stem) + ends


def _is_abuse(language: str, text: str) -> bool:
    return any(match.context == "direct" for match in _open_engine(language).moderate(text).matches)


@cache
def _open_engine(language: str) -> "ModerationEngine":
    from safetype import create_moderation_engine

    changes = _load_changes()
    engine = create_moderation_engine(languages=sorted({"en", language}), rules=changes["added"])
    for rule in engine.get_rules():
        is_grave = rule["severity"] in ("high", "critical") or rule["category"] == "harassment"
        if not is_grave or rule["id"] in changes["dropped"]:
            engine.remove_rule(rule["id"])
    return engine


@cache
def _load_changes() -> dict[str, Any]:
    return dict(yaml.safe_load(resources.files(__package__).joinpath("toxicity.yaml").read_text(encoding="utf-8")))


@cache
def _list_rule_words(language: str) -> list[str]:
    """Return the words of all rules without which a rule cannot match, sorted."""
    words: set[str] = set()
    for rule in _open_engine(language).get_rules():
        words.update(_choose_required_word(rule["pattern"]))
    return sorted(words)


def _choose_required_word(pattern: str) -> list[str]:
    """Return the variants of the rarest required word of a pattern.

    For example, `(you|u) (are)? (idiot*|fool)` needs `idiot*` or `fool`. The rarest word is the one with the fewest
    everyday words among its variants; then the longest, and the last of equals.
    """
    groups = []
    for group, optional, word in re.findall(r"\(([^)]*)\)(\?)?|([^\s()?]+)", pattern):
        if not optional:
            groups.append([variant.strip() for variant in (group or word).split("|")])
    everyday = _load_changes()["everyday"]
    return max(reversed(groups), key=lambda words: (-sum(word in everyday for word in words), min(map(len, words))))
