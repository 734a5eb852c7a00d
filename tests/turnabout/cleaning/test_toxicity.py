import polars as pl
import pytest

from turnabout.cleaning import toxicity
from turnabout.cleaning.toxicity import toxic


def judged(*texts: str | None, language: str | None = None) -> list[bool]:
    log = pl.DataFrame({"text": texts}, schema={"text": pl.String}).with_columns(language=pl.lit(language, pl.String))
    return toxic(log).to_list()


def test_abuse_of_somebody_is_toxic() -> None:
    assert all(judged("you are a complete moron", "I will strangle him", "Women are inferior.", "YOU STUPID MACHINE"))


def test_disguised_letters_do_not_hide_it() -> None:
    assert all(judged("you are an @sshole", "you are a b1tch", "f*ck off, you a$$hole", "k1ll yourself!"))
    assert all(judged("you are an idiiiot", "you are a moronnn", "kill_yourself"))


@pytest.mark.parametrize(
    "text",
    [
        "Scunthorpe, Clitheroe and Sussex",
        "this is fucking brilliant",
        "kill the process that hangs",
        "is it an insult to say 'you are a moron'?",
        'what does the word "bitch" mean',
        "I am such an idiot",
        "screening for breast and penis cancer",
    ],
)
def test_words_that_only_look_like_abuse_are_not(text: str) -> None:
    assert judged(text) == [False]


def test_a_message_is_held_against_the_rules_of_its_language() -> None:
    assert judged("du bist so dumm, du Arschloch", language="de") == [True]
    assert judged("du bist so dumm, du Arschloch", language="en") == [False]
    assert judged("é um cabrão", language="pt") == [True]


def test_nothing_said_is_not_toxic() -> None:
    assert judged(None, "") == [False, False]
    assert judged() == []


def test_the_words_looked_for_first_lose_no_match_of_the_rules() -> None:
    """Every rule's own words, optional ones left out, reach the rules."""
    for language in ("en", *toxicity.LANGUAGES):
        engine = toxicity._engine(language)
        for rule in engine.get_rules():
            word = toxicity._needed(rule["pattern"])[0]
            text = pl.DataFrame({"text": [f"xx {word} xx"]})
            assert text.select(toxicity._holds_word(language)).item(), rule["id"]
