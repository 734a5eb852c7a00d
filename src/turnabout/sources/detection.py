"""Formats recognised by the keys of a record, and hints at the right one."""

from typing import Any

from turnabout.sources.base import Source
from turnabout.sources.chat_completions import ChatCompletions
from turnabout.sources.hh import HH
from turnabout.sources.langfuse import Langfuse
from turnabout.sources.lmsys import Lmsys
from turnabout.sources.messages import Messages
from turnabout.sources.oasst import Oasst
from turnabout.sources.open_webui import OpenWebui
from turnabout.sources.openai import OpenAI
from turnabout.sources.prism import Prism
from turnabout.sources.sharegpt import ShareGPT
from turnabout.sources.wildchat import WildChat

#: Every format whose records can be recognised, by name and in order of name.
RECORD_FORMATS: dict[str, type[Source]] = {
    "chat_completions": ChatCompletions,
    "hh": HH,
    "langfuse": Langfuse,
    "lmsys": Lmsys,
    "messages": Messages,
    "oasst": Oasst,
    "open_webui": OpenWebui,
    "openai": OpenAI,
    "prism": Prism,
    "sharegpt": ShareGPT,
    "wildchat": WildChat,
}

#: Greatest number of keys of an unknown record that a hint names.
MAX_KEYS = 8


def detect_formats(content: Any) -> list[str]:
    """Return the formats that recognise a record, in order of name."""
    return [name for name, source in RECORD_FORMATS.items() if source.recognises(content)]


def suggest_format(content: Any, tried: str) -> str:
    """Return a hint for a record that the format `tried` could not read.

    The hint is added to the reason for its rejection. It is empty where `tried` recognises the record: the record is
    then damaged, not of another format.
    """
    if tried in RECORD_FORMATS and RECORD_FORMATS[tried].recognises(content):
        return ""
    if formats := detect_formats(content):
        return f"; looks like {' or '.join(formats)}: set format: {formats[0]}"
    return f"; of no known format ({', '.join(RECORD_FORMATS)}): {describe_shape(content)}"


def describe_shape(content: Any) -> str:
    """Return the keys of a record with their types.

    Of a record that is no object, return its type.
    """
    if not isinstance(content, dict):
        return f"a {type(content).__name__}"
    keys = sorted(content, key=str)
    shown = ", ".join(f"{str(key)[:40]} {type(content[key]).__name__}" for key in keys[:MAX_KEYS])
    further = f" and {len(keys) - MAX_KEYS} more" if len(keys) > MAX_KEYS else ""
    return f"keys {shown}{further}" if keys else "an empty object"
