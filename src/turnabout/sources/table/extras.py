"""Fields of a record that no column of the table of messages holds."""

from collections.abc import Mapping, Set
from typing import Any

import msgspec


def drop_nulls(**fields: Any) -> dict[str, Any]:
    """Return the fields that are not null, converted as JSON holds them.

    Times become text, and numbers that are not finite become null inside lists and objects.
    """
    plain = msgspec.json.decode(msgspec.json.encode(fields))
    return {name: value for name, value in plain.items() if value is not None}


def select_other_keys(raw: Mapping[str, Any], known_keys: Set[str]) -> dict[str, Any]:
    """Return what a JSON object holds under keys other than `known_keys`."""
    return {} if raw.keys() <= known_keys else {key: value for key, value in raw.items() if key not in known_keys}
