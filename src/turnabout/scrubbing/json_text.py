"""Strings and numbers of a JSON text replaced in place: what needs no change keeps its bytes, however it is nested."""

import json
import re
from collections.abc import Callable

# A string that never ends reaches to the end of the text: no place is looked at twice.
TOKEN = re.compile(r'(?P<string>"(?:[^"\\]|\\.)*+(?:"|\\?\Z))(?P<colon>\s*:)?|(?P<number>-?\d[\d.eE+-]*)', re.S)


def scrub_json(
    content: str, scrub_text: Callable[[str, str], str | None], scrub_number: Callable[[str, str], str | None]
) -> str:
    """The JSON with its keys and values scrubbed; both functions are told the key that a value stands under."""
    key = ""

    def replace(token: re.Match[str]) -> str:
        nonlocal key
        if token["number"]:
            placeholder = scrub_number(token["number"], key)
            return token["number"] if placeholder is None else json.dumps(placeholder)
        said = _decoded(token["string"])
        key, label = (said, "") if token["colon"] else (key, key)
        clean = scrub_text(said, label)
        return token.group() if clean == said else json.dumps(clean) + (token["colon"] or "")

    return TOKEN.sub(replace, content)


def _decoded(literal: str) -> str:
    """The string that a JSON literal stands for; one that is broken stands for itself."""
    try:
        return str(json.loads(literal, strict=False))
    except ValueError:
        return literal.strip('"')
