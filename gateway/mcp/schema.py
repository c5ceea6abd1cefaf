"""The input schema of a tool, as every client takes it: made from the struct that decodes the arguments.

Plain on purpose: one object, inlined, with ``type``, ``description``, ``enum`` and bounds, because some clients (and
the model APIs behind them) refuse ``$ref``, ``anyOf`` or a list of types. Where a struct takes several types, the
schema shows the one that loses nothing: a list rather than one text, text rather than a number. The others are
taken all the same.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import inspect

Schema = dict[str, Any]


def input_schema(arguments: type[msgspec.Struct]) -> Schema:
    """The JSON Schema of a tool's arguments."""
    return _of(inspect.type_info(arguments))


def _of(node: inspect.Type) -> Schema:
    if isinstance(node, inspect.Metadata):
        return {**_of(node.type), **(node.extra_json_schema or {})}
    if isinstance(node, inspect.UnionType):
        return _of(min((one for one in node.types if not isinstance(one, inspect.NoneType)), key=_rank))
    if isinstance(node, inspect.StrType):
        return {"type": "string"}
    if isinstance(node, inspect.BoolType):
        return {"type": "boolean"}
    if isinstance(node, inspect.IntType):
        return {"type": "integer"}
    if isinstance(node, inspect.FloatType):
        return {"type": "number"}
    if isinstance(node, inspect.LiteralType):
        return {"type": "string", "enum": list(node.values)}
    if isinstance(node, inspect.ListType):
        return {"type": "array", "items": _of(node.item_type)}
    if isinstance(node, inspect.StructType):
        required = [one.encode_name for one in node.fields if one.required]
        return {
            "type": "object",
            "properties": {one.encode_name: _of(one.type) for one in node.fields},
            **({"required": required} if required else {}),
            "additionalProperties": False,
        }
    raise TypeError(f"no plain schema of {node!r}")


def _rank(node: inspect.Type) -> int:
    """Which type of several is shown: the lowest."""
    inner = node.type if isinstance(node, inspect.Metadata) else node
    return 0 if isinstance(inner, inspect.ListType) else 1 if isinstance(inner, inspect.StrType) else 2
