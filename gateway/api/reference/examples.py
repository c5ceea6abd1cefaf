"""Makes an example of each answer, from its schema and ``example_values``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.api.reference.example_values import SPECIAL, TIME, ULID, VALUES
from gateway.api.reference.words import snake

_OF_TYPE: dict[str, Any] = {"string": "text", "integer": 1, "number": 0.5, "boolean": False, "null": None}
_ENDINGS: list[tuple[tuple[str, ...], str]] = [
    (("_at", "timestamp", "since", "proven", "from", "to"), TIME),
    (("_id", "id"), ULID),
    (("url", "link", "first", "last", "origin"), "https://mail.example.com/"),
]


def example_of(schema: dict[str, Any], schemas: dict[str, Any], name: str = "", owner: str = "") -> Any:
    """An example value for a schema.

    ``schemas``: the schemas that ``#/components/schemas/NAME`` refers to, by NAME. ``name``: the field's name.
    ``owner``: the name of the schema that has the field.
    """
    if "$ref" in schema:
        target = schema["$ref"].rpartition("/")[2]
        return example_of(schemas[target], schemas, "", target)
    short = snake(name)
    for found in _values(short, owner):
        if fits(found, schema):
            return found
    if "anyOf" in schema:
        kind = next(one for one in schema["anyOf"] if one.get("type") != "null")
        return example_of(kind, schemas, name, owner)
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("default") is not None:
        return schema["default"]
    kind = schema.get("type")
    if kind == "array":
        item = schema.get("items")
        return [example_of(item, schemas, short.removesuffix("s"), owner)] if item else []
    if kind == "object":
        if isinstance(schema.get("additionalProperties"), dict):
            return {"name": example_of(schema["additionalProperties"], schemas)}
        return {
            field: example_of(shape, schemas, field, owner)
            for field, shape in schema.get("properties", {}).items()
            if field in schema.get("required", ()) or "default" in shape
        }
    if kind == "string":
        return next((value for ends, value in _ENDINGS if short.endswith(ends)), "text")
    return _OF_TYPE.get(kind or "")


def _values(name: str, owner: str) -> Iterator[Any]:
    """Candidate values for a field, the most specific first."""
    title, _, struct = owner.rpartition(".")
    for key in (f"{owner}.{name}", f"{struct}.{name}", f"{title}.*.{name}"):
        if key in SPECIAL:
            yield SPECIAL[key]
    if name in VALUES:
        yield VALUES[name]


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value has the type of a field; the contents of objects are not checked."""
    if "anyOf" in schema:
        return any(fits(value, one) for one in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    kind = schema.get("type")
    if kind == "array" and isinstance(value, list):
        return not value or fits(value[0], schema.get("items", {}))
    of_kind = {"string": str, "integer": int, "boolean": bool, "object": dict, "null": type(None)}
    wanted = of_kind.get(kind or "", ())
    return isinstance(value, wanted) and isinstance(value, bool) == (kind == "boolean")
