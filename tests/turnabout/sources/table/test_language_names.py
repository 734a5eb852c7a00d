import pytest

from turnabout.sources.table.languages import language_code


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
        ("unknown", None),
        ("", None),
        (None, None),
    ],
)
def test_a_language_is_its_code_in_iso_639(name: str | None, code: str | None) -> None:
    assert language_code(name) == code
