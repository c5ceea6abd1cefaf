"""Makes the OpenAPI 3.1 document from the declared endpoints. Schemas come from msgspec, operations from the endpoint
table, further descriptions and examples from ``gateway.api.reference``.

Extensions: ``x-tagGroups`` (the tags of each dialect), ``x-postern-access`` (what an operation needs of the key) and
``x-postern-same-as`` (the operation that does the same under another path).
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from gateway import __version__
from gateway.api.dialect import Dialect
from gateway.api.reference.access_words import access_values, access_words
from gateway.api.reference.example_values import PARAMETERS
from gateway.api.reference.nouns import NOUNS, noun_of
from gateway.api.reference.refusals import refusals, refusals_of
from gateway.api.reference.schemas import Schemas, has_schema, name_of, query_parameters
from gateway.api.reference.words import parameter_words, plain
from gateway.api.routing import Endpoint, NoBody, Pattern

_REPEATABLE = re.compile(r"POST /inboxes/\{inbox_id\}/(messages|drafts)/.*(send|reply|reply-all|forward)")


def describe(dialects: Sequence[Dialect], public_url: str) -> dict[str, Any]:
    """The whole document as JSON values. ``public_url``: URL of the only server in it."""
    tags: dict[str, dict[str, str]] = {}
    groups: list[dict[str, Any]] = []
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {}
    answers: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    for dialect in dialects:
        named = Schemas(dialect)
        schemas |= named.components
        errors |= refusals(dialect)
        first: dict[tuple[Any, str], str] = {}
        nouns: dict[str, None] = {}
        for endpoint in dialect.table.endpoints:
            template = re.sub(r":rest\}", "}", dialect.prefix + endpoint.path)
            operation = _operation(dialect, endpoint, named)
            main = first.setdefault((endpoint.handler, endpoint.method), operation["operationId"])
            if main != operation["operationId"]:
                operation["x-postern-same-as"] = main
            paths.setdefault(template, {})[endpoint.method.lower()] = operation
            tag = _tag(dialect, endpoint)
            tags.setdefault(tag, {"name": tag, **_about(endpoint.tag)})
            nouns[tag] = None
        groups.append({"name": dialect.title, "prefix": dialect.prefix, "tags": list(nouns)})
        answers |= named.examples
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Postern",
            "version": __version__,
            "summary": "Real mailboxes for agents, in front of a real mail server.",
            "description": _introduction(dialects),
            "license": {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
        },
        "servers": [{"url": public_url or "/"}],
        "security": [{"bearer": []}],
        "tags": list(tags.values()),
        "x-tagGroups": groups,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": errors,
            "examples": answers,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, in the header `Authorization: Bearer <API_KEY>`. A key covers the "
                    "whole organization, a pod or an inbox, and may hold some permissions only. "
                    "`postern key create` makes one on the server.",
                }
            },
        },
    }


def _introduction(dialects: Sequence[Dialect]) -> str:
    names = ", ".join(f"{one.title} at {_places(one)}" for one in dialects)
    sockets = ", ".join(f"`{one.prefix}{one.socket_path}`" for one in dialects if one.socket is not None)
    text = f"The same mail through several APIs: {names}. Use the one that your client supports."
    if sockets:
        text += f" Events are sent over a WebSocket at {sockets}."
    return text + " Every answer has an `X-Request-Id`. An error says what was wrong and how to correct it."


def _places(dialect: Dialect) -> str:
    return " and ".join(f"`{one}`" for one in (dialect.prefix, *dialect.also))


def _tag(dialect: Dialect, one: Endpoint) -> str:
    return f"{dialect.title}: {noun_of(one.tag)}" if one.tag else dialect.title


def _about(tag: str) -> dict[str, str]:
    about = NOUNS.get(noun_of(tag))
    return {"description": about} if about else {}


def _parameters(dialect: Dialect, one: Endpoint, repeatable: bool) -> list[dict[str, Any]]:
    wanted = [(name, "path", True) for name in Pattern(one.path).names]
    if repeatable:
        wanted.append(("Idempotency-Key", "header", False))
    parameters = []
    for name, where, required in wanted:
        parameter = {"name": name, "in": where, "required": required, "schema": {"type": "string"}}
        words = parameter_words(dialect.title, name)
        parameter |= {"description": words} if words else {}
        parameters.append(parameter | ({"example": PARAMETERS[name]} if name in PARAMETERS else {}))
    return parameters + query_parameters(dialect.title, one.query)


def _takes_key(dialect: Dialect, one: Endpoint) -> bool:
    """Whether the operation accepts an Idempotency-Key."""
    if one.access.open or one.method != "POST":
        return False
    return bool(
        dialect.around is not None
        or one.repeatable
        or (dialect.name == "agentmail" and _REPEATABLE.fullmatch(f"POST {one.path}".replace(":rest", "")))
    )


def _operation(dialect: Dialect, one: Endpoint, named: Schemas) -> dict[str, Any]:
    slug = re.sub(r"[^a-z0-9]+", "_", f"{one.method} {dialect.prefix}{one.path}".lower()).strip("_")
    repeatable = _takes_key(dialect, one)
    operation: dict[str, Any] = {
        "operationId": slug,
        "summary": plain(one.summary or slug),
        "tags": [_tag(dialect, one)],
        "parameters": _parameters(dialect, one, repeatable),
        "responses": {
            str(one.status): _answer(one, named, slug),
            **dict(refusals_of(dialect, one, repeatable)),
        },
        "x-postern-access": access_values(one.access),
    }
    paragraphs = [plain(one.description), access_words(one.access)]
    if any(paragraphs):
        operation["description"] = "\n\n".join(filter(None, paragraphs))
    if one.access.open:
        operation["security"] = []
    if one.body is not NoBody:
        content = {"application/json": named.body(one.body)}
        required = named.components[name_of(named.shape(one.body))].get("required", [])
        if one.files:
            several = {"type": "array", "items": {"type": "string", "format": "binary"}}
            fields = {**named.fields(one.body), one.files: several}
            content["multipart/form-data"] = {
                "schema": {"type": "object", "properties": fields, "required": required}
            }
        operation["requestBody"] = {"required": bool(required), "content": content}
    return operation


def _answer(one: Endpoint, named: Schemas, slug: str) -> dict[str, Any]:
    if one.status == 204:
        return {"description": "Done; the answer has no body"}
    answer: dict[str, Any] = {"description": "Done"}
    if one.rows is not None:
        plural, item = one.rows
        item_shape = named.shape(item)
        shape = _page(plural, item_shape)
        answer["content"] = {"application/json": named.answer(shape, f"{name_of(item_shape)}.{plural}")}
    elif has_schema(one.answers):
        shape = named.shape(one.answers)
        answer["content"] = {
            "application/json": named.answer(shape, name_of(shape) or f"{named.title}.{slug}")
        }
    elif isinstance(one.answers, type) and issubclass(one.answers, Response):
        answer["content"] = {"application/octet-stream": {"schema": {}}}  # a file of any type
    elif one.answers is not None and not isinstance(one.answers, (types.UnionType, typing.TypeVar)):
        answer["content"] = {"application/json": {"schema": {}}}
    return answer


def _page(plural: str, item: dict[str, Any]) -> dict[str, Any]:
    """The schema of a page of a list, as ``paging.answer`` makes it: the items under ``data`` and under ``plural``."""

    def integer(about: str) -> dict[str, Any]:
        return {"type": "integer", "description": about}

    return {
        "type": "object",
        "required": ["data", "total", "page", "page_size", "count", "limit", plural],
        "properties": {
            plural: {"type": "array", "items": item, "description": "the items of this page"},
            "data": {"type": "array", "items": item, "description": f"the same as {plural}"},
            "count": integer("how many items this page has"),
            "total": integer("how many items there are on all pages"),
            "page": integer("number of this page"),
            "page_size": integer("how many items a page may have"),
            "limit": integer("the same as page_size"),
            "next_page_token": {
                "type": "string",
                "description": "page_token of the next page; absent on the last page",
            },
        },
    }
