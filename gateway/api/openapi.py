"""OpenAPI 3.1 from the declared endpoints: msgspec gives the schemas, the endpoint table the rest."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Sequence
from typing import Any

import msgspec

from gateway import __version__
from gateway.api.dialect import Dialect
from gateway.api.routing import Endpoint, NoBody, NoQuery, Pattern

_REF = "#/components/schemas/{name}"

ERROR: dict[str, Any] = {
    "type": "object",
    "description": "What was wrong, where, and what to do now.",
    "required": ["name", "message"],
    "properties": {
        "name": {"type": "string"},
        "code": {"type": "string"},
        "message": {"type": "string"},
        "fix": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}


def describe(dialects: Sequence[Dialect], public_url: str) -> dict[str, Any]:
    """The whole document, as JSON values. ``public_url`` becomes the one server."""
    endpoints = [(dialect, one) for dialect in dialects for one in dialect.table.endpoints]
    wanted: list[Any] = []
    for _, one in endpoints:
        wanted += [kind for kind in (one.body, one.query, one.answers) if _is_schema(kind)]
        if one.rows is not None:
            wanted.append(one.rows[1])
    unique = list(dict.fromkeys(wanted))
    shapes, components = msgspec.json.schema_components(unique, ref_template=_REF)
    schema_of = dict(zip(unique, shapes, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for dialect, one in endpoints:
        template = re.sub(r":rest\}", "}", dialect.prefix + one.path)
        paths.setdefault(template, {})[one.method.lower()] = _operation(dialect, one, schema_of, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Postern",
            "version": __version__,
            "description": "Real mailboxes for agents, in front of a real mail server.",
            "license": {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
        },
        "servers": [{"url": public_url or "/"}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": {"Error": ERROR, **components},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _is_schema(kind: Any) -> bool:
    if kind in (None, NoBody, NoQuery, type(None)):
        return False
    kind = typing.get_origin(kind) or kind  # Page[PodView]
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _operation(
    dialect: Dialect, one: Endpoint, schema_of: dict[Any, Any], components: dict[str, Any]
) -> dict[str, Any]:
    pattern = Pattern(one.path)
    slug = re.sub(r"[^a-z0-9]+", "_", f"{one.method} {dialect.prefix}{one.path}".lower()).strip("_")
    operation: dict[str, Any] = {
        "operationId": slug,
        "summary": one.summary or slug,
        "tags": [one.tag or dialect.name],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in pattern.names
        ],
        "responses": {
            str(one.status): _answer(one, schema_of),
            "default": {
                "description": "Refused or failed",
                "content": {"application/json": {"schema": {"$ref": _REF.format(name="Error")}}},
            },
        },
    }
    if one.description:
        operation["description"] = one.description
    if not one.auth:
        operation["security"] = []
    if one.query is not NoQuery and _is_schema(one.query):
        operation["parameters"] += _query(schema_of[one.query], components)
    if one.body is not NoBody and _is_schema(one.body):
        operation["requestBody"] = {"content": {"application/json": {"schema": schema_of[one.body]}}}
    return operation


def _query(shape: dict[str, Any], components: dict[str, Any]) -> list[dict[str, Any]]:
    name = shape.get("$ref", "").rpartition("/")[2]
    whole = components.get(name, shape)
    required = set(whole.get("required", ()))
    return [
        {"name": key, "in": "query", "required": key in required, "schema": value}
        for key, value in whole.get("properties", {}).items()
    ]


def _answer(one: Endpoint, schema_of: dict[Any, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Done" if one.status == 204 else one.summary or "OK"}
    if one.status == 204:
        return answer
    if one.rows is not None:
        plural, item = one.rows
        row = schema_of.get(item, {})
        whole = {"type": "integer"}
        answer["content"] = {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "data": {"type": "array", "items": row},
                        plural: {"type": "array", "items": row},
                        "total": whole,
                        "page": whole,
                        "page_size": whole,
                        "count": whole,
                        "limit": whole,
                        "next_page_token": {"type": "string"},
                    },
                }
            }
        }
    elif _is_schema(one.answers):
        answer["content"] = {"application/json": {"schema": schema_of[one.answers]}}
    elif one.answers is not None and not isinstance(one.answers, (types.UnionType, typing.TypeVar)):
        answer["content"] = {"application/json": {"schema": {}}}
    return answer
