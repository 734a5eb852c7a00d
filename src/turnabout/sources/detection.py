"""Which format a record is of: told to whoever named another one."""

from typing import Any

from turnabout.sources.base import Source

#: At most this many keys of an unknown record are told.
MOST_KEYS = 8


def formats() -> dict[str, type[Source]]:
    """Every format whose records can be recognised, by name."""
    from turnabout.sources import SOURCES  # which imports every format, and so this module

    return {name: SOURCES[name] for name in sorted(SOURCES) if "recognises" in vars(SOURCES[name])}


def formats_of(content: Any) -> list[str]:
    """The formats that take this record for one of theirs, in order of name."""
    return [name for name, source in formats().items() if source.recognises(content)]


def hint(content: Any, tried: type[Source]) -> str:
    """What to add to the reason for a record that the format `tried` could not read; nothing where it is its own."""
    if tried.recognises(content):
        return ""
    if found := formats_of(content):
        return f"; looks like {' or '.join(found)}: set format: {found[0]}"
    return f"; of no known format ({', '.join(formats())}): {shape(content)}"


def shape(content: Any) -> str:
    """What a record is made of: its keys with their types, or its type."""
    if not isinstance(content, dict):
        return f"a {type(content).__name__}"
    keys = sorted(content, key=str)
    told = ", ".join(f"{str(key)[:40]} {type(content[key]).__name__}" for key in keys[:MOST_KEYS])
    further = f" and {len(keys) - MOST_KEYS} more" if len(keys) > MOST_KEYS else ""
    return f"keys {told}{further}" if keys else "an empty object"
