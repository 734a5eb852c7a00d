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


def detect_format(content: Any) -> str | None:
    """Return the format of a record; null where no format recognises it.

    Where several do, it is the one that knows most keys of the record. Of those that know equally many, it is the one
    with the fewest keys in all, which says most about the record.
    """
    recognising = [name for name, source in RECORD_FORMATS.items() if source.recognises(content)]
    return max(recognising, key=lambda name: _rank_format(name, content), default=None)


def _rank_format(name: str, content: Any) -> tuple[int, int]:
    source = RECORD_FORMATS[name]
    return source.count_known_keys(content), -len(source.record_keys)


def suggest_format(content: Any, tried: str) -> str:
    """Return a hint for a record that the format `tried` could not read.

    The hint is added to the reason for its rejection. It is empty where `tried` recognises the record: the record is
    then damaged, not of another format.
    """
    if tried in RECORD_FORMATS and RECORD_FORMATS[tried].recognises(content):
        return ""
    if name := detect_format(content):
        return f"; looks like {name}: set format: {name}"
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
