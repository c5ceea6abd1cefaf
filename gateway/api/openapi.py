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

_SCHEMAS = "#/components/schemas/"


def describe(dialects: Sequence[Dialect], public_url: str) -> dict[str, Any]:
    """The whole document, as JSON values. ``public_url`` becomes the one server."""
    tags: dict[str, None] = {}
    paths: dict[str, dict[str, Any]] = {}
    components: dict[str, Any] = {}
    for dialect in dialects:
        named = _Named(dialect)
        components |= named.components
        for one in dialect.table.endpoints:
            template = re.sub(r":rest\}", "}", dialect.prefix + one.path)
            paths.setdefault(template, {})[one.method.lower()] = _operation(dialect, one, named)
            tags[_tag(dialect, one)] = None
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
        "tags": [{"name": name} for name in tags],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _tag(dialect: Dialect, one: Endpoint) -> str:
    return f"{dialect.title}: {one.tag}" if one.tag else dialect.title


class _Named:
    """The schemas of one dialect's structs, each under the dialect's title: two dialects may have one name."""

    def __init__(self, dialect: Dialect) -> None:
        wanted: dict[Any, None] = {}
        for one in dialect.table.endpoints:
            kinds = (one.body, one.answers, one.rows and one.rows[1])
            wanted |= dict.fromkeys(kind for kind in kinds if _is_schema(kind))
        shapes, found = msgspec.json.schema_components(
            wanted, ref_template=f"{_SCHEMAS}{dialect.title}.{{name}}"
        )
        self._of = dict(zip(wanted, shapes, strict=True))
        self.error = {"$ref": f"{_SCHEMAS}{dialect.title}.Error"}
        self.components = {
            f"{dialect.title}.{name}": shape
            for name, shape in {"Error": dialect.error_schema, **found}.items()
        }

    def shape(self, kind: Any) -> dict[str, Any]:
        """A reference to a struct's schema; {} for what has none."""
        return self._of.get(kind, {}) if _is_schema(kind) else {}

    def fields(self, kind: Any) -> dict[str, Any]:
        """A body's fields by name."""
        found: dict[str, Any] = self.components[self.shape(kind)["$ref"].removeprefix(_SCHEMAS)]["properties"]
        return found


def _query(kind: Any) -> list[dict[str, Any]]:
    """The parameters that a query struct stands for."""
    if not _is_schema(kind):
        return []
    _, found = msgspec.json.schema_components([kind])
    (whole,) = found.values()
    required = whole.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": shape}
        for name, shape in whole["properties"].items()
    ]


def _is_schema(kind: Any) -> bool:
    if kind in (None, NoBody, NoQuery, type(None)):
        return False
    kind = typing.get_origin(kind) or kind  # Page[PodView]
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _operation(dialect: Dialect, one: Endpoint, named: _Named) -> dict[str, Any]:
    pattern = Pattern(one.path)
    slug = re.sub(r"[^a-z0-9]+", "_", f"{one.method} {dialect.prefix}{one.path}".lower()).strip("_")
    operation: dict[str, Any] = {
        "operationId": slug,
        "summary": one.summary or slug,
        "tags": [_tag(dialect, one)],
        "parameters": [
            {"name": name, "in": where, "required": True, "schema": {"type": "string"}}
            for where, names in (("path", pattern.names), ("header", one.headers))
            for name in names
        ],
        "responses": {
            str(one.status): _answer(one, named),
            "default": {
                "description": "Refused or failed",
                "content": {"application/json": {"schema": named.error}},
            },
        },
    }
    if one.description:
        operation["description"] = one.description
    if one.access.open:
        operation["security"] = []
    operation["parameters"] += _query(one.query)
    if _is_schema(one.body):
        content = {"application/json": {"schema": named.shape(one.body)}}
        if one.files:
            several = {"type": "array", "items": {"type": "string", "format": "binary"}}
            fields = {**named.fields(one.body), one.files: several}
            content["multipart/form-data"] = {"schema": {"type": "object", "properties": fields}}
        operation["requestBody"] = {"content": content}
    return operation


def _answer(one: Endpoint, named: _Named) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Done" if one.status == 204 else one.summary or "OK"}
    if one.status == 204:
        return answer
    if one.rows is not None:
        plural, item = one.rows
        row = named.shape(item)
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
        answer["content"] = {"application/json": {"schema": named.shape(one.answers)}}
    elif one.answers is not None and not isinstance(one.answers, (types.UnionType, typing.TypeVar)):
        answer["content"] = {"application/json": {"schema": {}}}
    return answer
