"""The form of an answer as a JSON schema that endpoints take in strict mode."""

from typing import Any

import msgspec


def build_json_schema(shape: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema of a Struct: every field is required and no other one is allowed, at each level."""
    whole = msgspec.json.schema(shape)
    root = whole["$ref"].rpartition("/")[2]
    definitions = {name: _strict(definition) for name, definition in whole["$defs"].items()}
    return {**definitions.pop(root), **({"$defs": definitions} if definitions else {})}


def _strict(schema: Any) -> Any:
    """The schema without defaults and descriptions, which are told in the question; objects closed."""
    if isinstance(schema, list):
        return [_strict(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _strict(entry) for key, entry in schema.items() if key not in ("default", "title", "description")}
    if "enum" in schema and all(isinstance(entry, str) for entry in schema["enum"]):
        kept["type"] = "string"  # msgspec leaves it out; some endpoints refuse a schema without a type
    if "properties" in schema:
        kept["properties"] = {name: _strict(entry) for name, entry in schema["properties"].items()}
        kept |= {"required": list(schema["properties"]), "additionalProperties": False}
    return kept
