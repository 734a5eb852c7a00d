from collections.abc import Callable

import polars as pl
import pytest

from turnabout.text.language_detection import add_language, detect_languages, find_unwanted_languages

Build = Callable[..., pl.DataFrame]


def languages(log: pl.DataFrame) -> dict[str, str | None]:
    return dict(add_language(log).select("conversation_id", "language").unique().rows())


def test_the_users_words_decide_together(messages: Build) -> None:
    log = pl.concat(
        [
            messages(
                "a",
                "kannst du mir",
                "Of course! " + "I will gladly help you with all of that. " * 3,
                "bitte beim Kochen helfen",
            ),
            messages("b", "could you help me with cooking", "Natürlich helfe ich dir gern dabei. " * 3),
        ]
    )
    assert languages(log) == {"a": "de", "b": "en"}


@pytest.mark.parametrize("named", ["French", "fr", "fra", "fr-CA", "FR"])
def test_what_the_log_names_is_kept_as_a_code(messages: Build, named: str) -> None:
    assert languages(messages("a", "hello, how are you today?", "fine", language=named)) == {"a": "fr"}


@pytest.mark.parametrize("named", [None, "unknown", "", "und", "mul"])
def test_where_the_log_names_none_the_words_are_read(messages: Build, named: str | None) -> None:
    assert languages(messages("a", "hello, how are you today?", "fine", language=named)) == {"a": "en"}


@pytest.mark.parametrize("text", ["", "ok", "12 + 30 = 42?", "https://a.example/the/quick/brown/fox", "<email_1> ok"])
def test_too_short_to_tell_is_null(text: str) -> None:
    assert detect_languages(pl.Series([text, None], dtype=pl.String)).to_list() == [None, None]


def test_capitals_code_and_lines_do_not_mislead() -> None:
    texts = ["I NEED THIS DONE NOW", "warum geht\ndas nicht?\n```python\nfor line in the_file: print(line)\n```"]
    assert detect_languages(pl.Series(texts)).to_list() == ["en", "de"]


def test_four_chinese_letters_are_enough() -> None:
    assert detect_languages(pl.Series(["今天天气怎么样"])).to_list() == ["zh"]


def test_a_language_not_allowed_is_a_reason_and_an_unknown_one_is_none(messages: Build) -> None:
    log = pl.concat(
        [
            messages("a", "puedes ayudarme con esto", "sí"),
            messages("b", "ok", "yes"),
            messages("c", "can you help me with this", "yes"),
        ]
    )
    assert find_unwanted_languages(add_language(log), ["en"]).rows() == [("a", "language not wanted: es")]


def test_rows_columns_and_order_stay(messages: Build) -> None:
    log = pl.concat([messages("b", "hi", "yo"), messages("a", "hi", "yo")])
    assert add_language(log).drop("language").equals(log.drop("language"))
    assert add_language(log.clear()).schema == log.schema


@pytest.mark.parametrize("wanted", ["fr", "FR", "fra", "fr-CA", "French"])
def test_wanted_languages_may_be_spelled_as_logs_spell_them(messages: Build, wanted: str) -> None:
    languages = pl.concat([messages("a", "x", language="fr"), messages("b", "x", language="en"), messages("c", "x")])
    assert find_unwanted_languages(languages, [wanted]).rows() == [("b", "language not wanted: en")]
