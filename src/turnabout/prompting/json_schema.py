"""JSON schemas of answers, as endpoints accept them in strict mode."""

from typing import Any

import msgspec


def build_json_schema(shape: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the JSON schema of a Struct.

    At each level, all fields are required and no others are allowed.
    """
    schema = msgspec.json.schema(shape)
    root = schema["$ref"].rpartition("/")[2]
    definitions = {name: _make_strict(definition) for name, definition in schema["$defs"].items()}
    return {**definitions.pop(root), **({"$defs": definitions} if definitions else {})}


def _make_strict(schema: Any) -> Any:
    """Return the schema with closed objects, without descriptions.

    Defaults are removed, too. The question itself states those.
    """
    if isinstance(schema, list):
        return [_make_strict(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _make_strict(entry) for key, entry in schema.items() if key not in ("default", "title", "description")}
    if "enum" in schema and all(isinstance(entry, str) for entry in schema["enum"]):
        kept["type"] = "string"  # msgspec omits it; some endpoints refuse a schema without a type
    if "properties" in schema:
        kept["properties"] = {name: _make_strict(entry) for name, entry in schema["properties"].items()}
        kept |= {"required": list(schema["properties"]), "additionalProperties": False}
    return kept
