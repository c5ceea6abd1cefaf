"""The JSON Schemas of a tool's arguments and result, made from its structs.

They are plain, because some clients and the model APIs behind them refuse ``$ref``, ``anyOf``, ``additionalProperties``
and, in arguments, a list of types. Where an argument takes several types, the schema shows the one that can express
everything: a list rather than a text, a text rather than a number. The others are accepted as well.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import inspect

Schema = dict[str, Any]

UNLISTED = msgspec.Meta(extra={"unlisted": True})
"""Marks a field that the schema leaves out, because every model reads the schemas: an argument that is accepted but not
needed, or a part of a result that the call gave itself or that only explains the rest."""


def input_schema(arguments: type[msgspec.Struct]) -> Schema:
    """The schema of a tool's arguments."""
    return _argument(inspect.type_info(arguments))


def output_schema(result: type[msgspec.Struct]) -> Schema:
    """The schema of a tool's structured result: its fields and their types, without what is inside of them.

    No field is required: clients check the result of a refused call, ``{"error": …}``, against the schema, too.
    """
    fields = {one.encode_name: inspect.type_info(one.type) for one in msgspec.structs.fields(result)}
    listed = {name: _result(node) for name, node in fields.items() if not _unlisted(node)}
    return {"type": "object", "properties": listed}


def _argument(node: inspect.Type) -> Schema:
    if isinstance(node, inspect.Metadata):
        return {**_argument(node.type), **(node.extra_json_schema or {})}
    if isinstance(node, inspect.UnionType):
        return _argument(min((one for one in node.types if not isinstance(one, inspect.NoneType)), key=_rank))
    if isinstance(node, inspect.LiteralType):
        return {"type": "string", "enum": list(node.values)}
    if isinstance(node, inspect.ListType):
        return {"type": "array", "items": _argument(node.item_type)}
    if isinstance(node, inspect.StructType):
        required = [one.encode_name for one in node.fields if one.required]
        return {
            "type": "object",
            "properties": {
                one.encode_name: _argument(one.type) for one in node.fields if not _unlisted(one.type)
            },
            **({"required": required} if required else {}),
        }
    return {"type": _name(node)}


def _unlisted(node: inspect.Type) -> bool:
    return isinstance(node, inspect.Metadata) and bool(node.extra and node.extra.get("unlisted"))


def _result(node: inspect.Type) -> Schema:
    if isinstance(node, inspect.UnionType):
        return {"type": [_name(one) for one in node.types]}
    return {"type": _name(node)}


def _name(node: inspect.Type) -> str:
    """A type as JSON Schema names it. Raises TypeError for one that has no plain name."""
    for kind, name in _NAMES.items():
        if isinstance(node, kind):
            return name
    raise TypeError(f"no plain schema of {node!r}")


_NAMES: dict[type[inspect.Type], str] = {
    inspect.StrType: "string",
    inspect.BoolType: "boolean",
    inspect.IntType: "integer",
    inspect.FloatType: "number",
    inspect.ListType: "array",
    inspect.DictType: "object",
    inspect.NoneType: "null",
}


def _rank(node: inspect.Type) -> int:
    """The order in which one of several types is chosen: the lowest wins."""
    inner = node.type if isinstance(node, inspect.Metadata) else node
    return 0 if isinstance(inner, inspect.ListType) else 1 if isinstance(inner, inspect.StrType) else 2
