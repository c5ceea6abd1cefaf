"""Declares endpoints, and finds the endpoint of a request.

An endpoint is a typed function in a :class:`Table`::

    @table.get("/inboxes/{inbox_id}/messages/{message_id:rest}", access=reads("message_read"))
    async def get_message(call: Call[NoBody, NoQuery]) -> MessageView:
        \"\"\"Summary line, shown in the API description.\"\"\"

The types of body and query come from the annotation of ``call``, the type of the answer from the return annotation.
The *raw* path is matched segment by segment and each segment percent-decoded by itself, so ``%2F``, ``+`` and ``< >``
in an id survive. ``{name:rest}`` matches one or more segments (a Message-ID may contain slashes) up to the fixed
segments after it. The path with the most fixed segments wins. A 405 lists all methods of the path.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.errors import NoRoute, WrongMethod
from gateway.core.access import Access
from gateway.core.context import Core
from gateway.core.idempotency import Claim
from gateway.store.scope import Scope


class NoBody(msgspec.Struct):
    """The endpoint reads no body."""


class NoQuery(msgspec.Struct):
    """The endpoint reads no query parameter."""


B = TypeVar("B")
Q = TypeVar("Q")


@dataclass(slots=True)
class Call(Generic[B, Q]):
    """One request, checked and decoded.

    ``ids``: the path's parameters. ``public_url``: the base URL by which the client reaches the gateway, for absolute
    links.
    """

    core: Core
    scope: Scope
    request: Request
    ids: dict[str, str]
    body: B
    query: Q
    request_id: str
    public_url: str
    headers: dict[str, str] = field(default_factory=dict)  # for the answer
    status: int | None = None  # status of the answer, instead of the endpoint's own
    claim: Claim | None = None  # of its Idempotency-Key, in a dialect that accepts one for each POST

    @property
    def from_sdk(self) -> bool:
        """Whether the client is an official AgentMail SDK, by its X-Fern-SDK-Name header."""
        return self.request.headers.get("x-fern-sdk-name", "").lower() == "agentmail"


Handler = Callable[[Call[Any, Any]], Awaitable[Any]]

V = TypeVar("V")
_H = TypeVar("_H", bound=Callable[..., Awaitable[Any]])


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A declared endpoint. ``answers``: type of the response. ``rows``: (plural name, item type) of a list."""

    method: str
    path: str
    handler: Handler
    body: type[Any]
    query: type[Any]
    answers: Any
    status: int
    access: Access
    summary: str
    description: str
    tag: str
    rows: tuple[str, Any] | None
    max_body: int | None
    raw_body: bool
    files: str
    repeatable: bool


class Table:
    """The endpoints of a module; ``include`` joins the tables of a dialect."""

    def __init__(self, tag: str = "") -> None:
        self.tag = tag
        self.endpoints: list[Endpoint] = []

    def route(
        self,
        method: str,
        path: str,
        *,
        access: Access,
        status: int = 200,
        rows: tuple[str, Any] | None = None,
        max_body: int | None = None,
        raw_body: bool = False,
        files: str = "",
        repeatable: bool = False,
        also: Iterable[str] = (),
    ) -> Callable[[_H], _H]:
        """Declare an endpoint. A handler that returns None answers 204.

        Args:
            access: what the key needs (``core.access``); checked before query and body are read.
            rows: the plural name and item type of a list.
            max_body: octets, instead of ``http.max_body``.
            raw_body: the handler reads the body itself.
            files: the field of files; the endpoint accepts forms as well.
            repeatable: it takes the header Idempotency-Key.
            also: further paths of the same endpoint.
        """

        def declare(handler: _H) -> _H:
            hints = typing.get_type_hints(handler, include_extras=True)
            first = next(iter(inspect.signature(handler).parameters))
            body, query = typing.get_args(hints[first]) or (NoBody, NoQuery)
            summary, _, description = inspect.cleandoc(handler.__doc__ or "").partition("\n")
            for template in (path, *also):
                self.endpoints.append(
                    Endpoint(
                        method=method,
                        path=template,
                        handler=handler,
                        body=body,
                        query=query,
                        answers=hints.get("return"),
                        status=204 if hints.get("return") is type(None) else status,
                        access=access,
                        summary=summary.strip().rstrip("."),
                        description=description.strip(),
                        tag=self.tag,
                        rows=rows,
                        max_body=max_body,
                        raw_body=raw_body,
                        files=files,
                        repeatable=repeatable,
                    )
                )
            return handler

        return declare

    def get(self, path: str, **more: Any) -> Callable[[_H], _H]:
        return self.route("GET", path, **more)

    def post(self, path: str, **more: Any) -> Callable[[_H], _H]:
        return self.route("POST", path, **more)

    def put(self, path: str, **more: Any) -> Callable[[_H], _H]:
        return self.route("PUT", path, **more)

    def patch(self, path: str, **more: Any) -> Callable[[_H], _H]:
        return self.route("PATCH", path, **more)

    def delete(self, path: str, **more: Any) -> Callable[[_H], _H]:
        return self.route("DELETE", path, **more)

    def include(self, other: Table) -> None:
        """Add the endpoints of another table."""
        self.endpoints += other.endpoints


_PARAMETER = re.compile(r"\{([a-z_]+)(?::(rest))?\}")


@dataclass(frozen=True, slots=True)
class _Part:
    word: str | None  # a fixed segment, or None for a parameter
    name: str = ""
    rest: bool = False


class Pattern:
    """A path template, compiled."""

    def __init__(self, path: str) -> None:
        self.parts: list[_Part] = []
        for segment in path.strip("/").split("/"):
            match = _PARAMETER.fullmatch(segment)
            self.parts.append(_Part(None, match[1], match[2] == "rest") if match else _Part(segment))
        self.words = sum(part.word is not None for part in self.parts)
        self.open = sum(part.rest for part in self.parts)
        if self.open > 1:
            raise ValueError(f"{path}: only one parameter may have :rest")
        # /inboxes/{a} and /inboxes/{b} are the same path
        self.shape = tuple(part.word or ("*" if part.rest else "?") for part in self.parts)

    def match(self, segments: list[str]) -> list[str] | None:
        """The parameters' values in order; None when the path does not match."""
        spare = len(segments) - len(self.parts)
        if spare < 0 or (spare and not self.open):
            return None
        values: list[str] = []
        at = 0
        for part in self.parts:
            width = 1 + (spare if part.rest else 0)
            text = "/".join(segments[at : at + width])
            at += width
            if part.word is None:
                if not text:
                    return None
                values.append(text)
            elif part.word != text:
                return None
        return values

    @property
    def names(self) -> list[str]:
        return [part.name for part in self.parts if part.word is None]


class Router:
    """Finds the endpoint for a method and a path (decoded segments)."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._paths: dict[tuple[str, ...], tuple[Pattern, dict[str, tuple[Endpoint, list[str]]]]] = {}
        for endpoint in endpoints:
            pattern = Pattern(endpoint.path)
            _, methods = self._paths.setdefault(pattern.shape, (pattern, {}))
            if endpoint.method in methods:
                raise ValueError(f"{endpoint.method} {endpoint.path} is declared twice")
            methods[endpoint.method] = (endpoint, pattern.names)
        ranked = sorted(self._paths.values(), key=lambda it: (-it[0].words, it[0].open))
        self._by_first: dict[str, list[tuple[Pattern, dict[str, tuple[Endpoint, list[str]]]]]] = {}
        for entry in ranked:
            self._by_first.setdefault(entry[0].shape[0], []).append(entry)

    def find(self, method: str, segments: list[str]) -> tuple[Endpoint, dict[str, str]]:
        """The endpoint and its path parameters. Raises NoRoute or WrongMethod."""
        for pattern, methods in self._by_first.get(segments[0] if segments else "", ()):
            values = pattern.match(segments)
            if values is None:
                continue
            found = methods.get("GET" if method == "HEAD" else method)
            if found is None:
                raise WrongMethod(sorted(methods))
            endpoint, names = found
            return endpoint, dict(zip(names, values, strict=True))
        raise NoRoute("there is no such path", fix="/openapi.json lists every path")


def split_raw_path(scope: typing.MutableMapping[str, Any], skip: int) -> list[str]:
    """The path's segments after the first ``skip``, each percent-decoded by itself.

    One trailing slash is ignored. Octets that are not UTF-8 become U+FFFD. Raises NoRoute for a NUL.
    """
    raw: bytes | None = scope.get("raw_path")
    if raw is None:
        raw = scope["path"].encode("utf-8", "replace").replace(b"%", b"%25")
    segments = raw.partition(b"?")[0].split(b"/")[1 + skip :]
    if segments and segments[-1] == b"":
        segments.pop()
    decoded = [(unquote_to_bytes(one) if b"%" in one else one).decode("utf-8", "replace") for one in segments]
    if any("\x00" in one for one in decoded):
        raise NoRoute("there is no such path")
    return decoded


def encoded(response: Response, view: type[V]) -> V:
    """A response for an endpoint that declares ``view``: its body is that view already, as JSON."""
    del view  # for the type checker: the router takes either
    return typing.cast("V", response)


__all__ = [
    "Call",
    "Endpoint",
    "NoBody",
    "NoQuery",
    "Response",
    "Router",
    "Table",
    "encoded",
    "split_raw_path",
]
