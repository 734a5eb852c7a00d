"""Codes of languages that a log names in English or by a longer tag."""

from functools import cache

#: Names as public logs write them, where ISO 639 lists the language under another one.
NAMES = {"Bokmal": "nb", "Nynorsk": "nn", "Greek": "el", "Occitan": "oc", "Interlingua": "ia"}


@cache
def language_code(name: str | None) -> str | None:
    """ISO 639-1 (three letters of 639-3 where it has none) of `English`, `en` or `en-GB`; null for a name unknown."""
    from iso639 import Language, LanguageNotFoundError

    if not name:
        return None
    plain = name.split("-")[0].strip()
    if plain in NAMES:
        return NAMES[plain]
    for written in (plain, f"{plain} (macrolanguage)"):
        try:
            found = Language.match(written)
        except LanguageNotFoundError:
            continue
        return found.part1 or found.part3
    return None
