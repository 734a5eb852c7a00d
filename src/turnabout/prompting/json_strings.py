"""JSON strings inside an answer that need not be JSON as a whole."""

import json

#: Pattern of one closed JSON string, as a group.
JSON_STRING = r'("(?:[^"\\]|\\.)*")'


def parse_json_string(string: str) -> str | None:
    """Return the text of a closed string; None where an escape is invalid.

    Half of a surrogate pair, which a small model writes for an emoji, becomes a question mark: no table can hold it.
    """
    try:
        text = str(json.loads(string, strict=False))
    except ValueError:
        return None
    return text.encode(errors="replace").decode().strip()
