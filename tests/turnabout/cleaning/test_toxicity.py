import polars as pl
import pytest

from turnabout.cleaning import toxicity
from turnabout.cleaning.toxicity import detect_toxicity


def detect(*texts: str | None, language: str | None = None) -> list[bool]:
    log = pl.DataFrame({"text": texts}, schema={"text": pl.String}).with_columns(language=pl.lit(language, pl.String))
    return detect_toxicity(log).to_list()


def test_detect_toxicity_flags_abuse_of_somebody() -> None:
    assert all(detect("you are a complete moron", "I will strangle him", "Women are inferior.", "YOU STUPID MACHINE"))


def test_detect_toxicity_flags_words_with_disguised_letters() -> None:
    assert all(detect("you are an @sshole", "you are a b1tch", "f*ck off, you a$$hole", "k1ll yourself!"))
    assert all(detect("you are an idiiiot", "you are a moronnn", "kill_yourself"))


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
def test_detect_toxicity_ignores_text_that_only_looks_like_abuse(text: str) -> None:
    assert detect(text) == [False]


def test_detect_toxicity_applies_the_rules_of_the_message_language() -> None:
    assert detect("du bist so dumm, du Arschloch", language="de") == [True]
    assert detect("du bist so dumm, du Arschloch", language="en") == [False]
    assert detect("é um cabrão", language="pt") == [True]


def test_detect_toxicity_does_not_flag_empty_messages() -> None:
    assert detect(None, "") == [False, False]
    assert detect() == []


def test_required_words_miss_no_match_of_the_rules() -> None:
    """A text with a rule's required word is given to the rules."""
    for language in ("en", *toxicity.LANGUAGES):
        engine = toxicity._open_engine(language)
        for rule in engine.get_rules():
            word = toxicity._choose_required_word(rule["pattern"])[0]
            text = pl.DataFrame({"text": [f"xx {word} xx"]})
            assert text.select(toxicity._has_rule_word(language)).item(), rule["id"]
