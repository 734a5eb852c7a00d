"""Text from logs inside a prompt: a record to be read, fenced so that it cannot pass for the prompt's own words."""

import json
from typing import Any


def fence(name: str, content: Any) -> str:
    """Text from a log as one line of JSON between tags that nothing in it can close: `<` and `>` are escaped."""
    line = json.dumps(content, ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e")
    return f"<{name}>\n{line}\n</{name}>"
