import pytest

from turnabout.text.language_codes import normalize_language


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("English", "en"),
        ("Chinese", "zh"),
        ("Greek", "el"),
        ("Malay", "ms"),
        ("Bokmal", "nb"),
        ("Cebuano", "ceb"),
        ("Haitian Creole", "ht"),
        ("en", "en"),
        ("pt-BR", "pt"),
        ("ENGLISH", "en"),
        ("eng", "en"),
        ("zh_CN", "zh"),
        ("und", None),
        ("mul", None),
        ("unknown", None),
        ("", None),
        (None, None),
    ],
)
def test_a_language_is_its_code_in_iso_639(name: str | None, code: str | None) -> None:
    assert normalize_language(name) == code
