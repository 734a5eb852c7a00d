"""ISO 639 codes of languages that a log names in English, by a longer tag, or by another code."""

from functools import cache

#: Names as public logs write them, where ISO 639 lists the language under another one.
NAMES = {"bokmal": "nb", "nynorsk": "nn", "greek": "el", "occitan": "oc", "interlingua": "ia"}

#: The scope that ISO 639-3 gives to `und`, `mul`, `zxx` and `mis`, which are no language.
SPECIAL = "S"


@cache
def language_code(name: str | None) -> str | None:
    """ISO 639-1 (three letters of 639-3 where it has none) of `English`, `eng`, `EN` or `en-GB`.

    Null for a name unknown, and for what names no language, as `und` (undetermined) and `mul` (multiple) do not.
    """
    from iso639 import Language, LanguageNotFoundError

    plain = (name or "").replace("_", "-").partition("-")[0].strip()
    if plain.lower() in NAMES:
        return NAMES[plain.lower()]
    for written in (name or "", plain, plain.lower(), plain.capitalize(), f"{plain.capitalize()} (macrolanguage)"):
        try:
            found = Language.match(written.strip())
        except LanguageNotFoundError:
            continue
        return None if found.scope == SPECIAL else found.part1 or found.part3
    return None
