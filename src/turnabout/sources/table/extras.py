"""What no column of the table of messages holds."""

from collections.abc import Mapping, Set
from typing import Any

import msgspec


def known(**fields: Any) -> dict[str, Any]:
    """The fields that are not null, as JSON holds them: times as text, and no number that is not finite."""
    plain = msgspec.json.decode(msgspec.json.encode(fields))
    return {name: value for name, value in plain.items() if value is not None}


def others(raw: Mapping[str, Any], known_keys: Set[str]) -> dict[str, Any]:
    """What a JSON object holds under keys that are not known."""
    return {} if raw.keys() <= known_keys else {key: value for key, value in raw.items() if key not in known_keys}
