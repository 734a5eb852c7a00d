"""ISO 639 codes of languages."""

from functools import cache

#: Names in public logs that ISO 639 does not list.
NAMES = {"bokmal": "nb", "nynorsk": "nn", "greek": "el", "occitan": "oc", "interlingua": "ia"}

#: ISO 639-3 scope of `und`, `mul`, `zxx` and `mis`, which are not languages.
SPECIAL = "S"


@cache
def normalize_language(name: str | None) -> str | None:
    """Return the ISO 639-1 code of `English`, `eng`, `EN` or `en-GB`.

    If ISO 639-1 has no code, return that of ISO 639-3. Return None for unknown names and for codes that name no
    language, such as `und` (undetermined) and `mul` (multiple).
    """
    from iso639 import Language, LanguageNotFoundError

    plain = (name or "").replace("_", "-").partition("-")[0].strip()
    if plain.lower() in NAMES:
        return NAMES[plain.lower()]
    for written in (name or "", plain, plain.lower(), plain.capitalize(), f"{plain.capitalize()} (macrolanguage)"):
        try:
            language = Language.match(written.strip())
        except LanguageNotFoundError:
            continue
        return None if language.scope == SPECIAL else language.part1 or language.part3
    return None
