"""Strings of JSON inside an answer whose rest may be anything."""

import json

#: One string, closed, as a group.
JSON_STRING = r'("(?:[^"\\]|\\.)*")'


def parse_json_string(string: str) -> str | None:
    """The text of a closed string, or None where an escape in it is none.

    Half of a surrogate pair, which a small model writes for an emoji, becomes a question mark: no table can hold it.
    """
    try:
        text = str(json.loads(string, strict=False))
    except ValueError:
        return None
    return text.encode(errors="replace").decode().strip()
