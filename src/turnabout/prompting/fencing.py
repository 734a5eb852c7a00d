"""Fences around logged text in prompts.

With them, logged text cannot pass for the prompt's own text.
"""

import json
from typing import Any


def fence(name: str, content: Any) -> str:
    """Return the content as one line of JSON between tags.

    No text in the content can close the tags, because `<` and `>` are escaped.
    """
    line = json.dumps(content, ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e")
    return f"<{name}>\n{line}\n</{name}>"
