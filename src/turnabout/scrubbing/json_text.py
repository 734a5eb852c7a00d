"""Replacement of strings and numbers in a JSON text, in place.

Strings and numbers that do not change keep their bytes. Nesting may be arbitrarily deep.
"""

import json
import re
from collections.abc import Callable

# A string that never ends reaches to the end of the text, so that no position is searched twice.
TOKEN = re.compile(r'(?P<string>"(?:[^"\\]|\\.)*+(?:"|\\?\Z))(?P<colon>\s*:)?|(?P<number>-?\d[\d.eE+-]*)', re.S)


def scrub_json(
    content: str, scrub_text: Callable[[str, str], str | None], scrub_number: Callable[[str, str], str | None]
) -> str:
    """Return the JSON text with its keys and values scrubbed.

    Both functions get a value and the key it belongs to. `scrub_number` returns None for a number that stays.
    """
    key = ""

    def replace_token(token: re.Match[str]) -> str:
        """Return the token scrubbed, and remember it if it is a key."""
        nonlocal key
        if token["number"]:
            placeholder = scrub_number(token["number"], key)
            return token["number"] if placeholder is None else json.dumps(placeholder)
        text = _decode_literal(token["string"])
        key, label = (text, "") if token["colon"] else (key, key)
        scrubbed = scrub_text(text, label)
        return token.group() if scrubbed == text else json.dumps(scrubbed) + (token["colon"] or "")

    return TOKEN.sub(replace_token, content)


def _decode_literal(literal: str) -> str:
    """Return the string of a JSON literal; of a broken one, its characters."""
    try:
        return str(json.loads(literal, strict=False))
    except ValueError:
        return literal.strip('"')
