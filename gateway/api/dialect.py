"""Serves one dialect under its prefix: authentication, limits, decoding, errors, logging.

The order for each request: request id; path; key (401 comes first, even for an unknown path); rate limit; method;
the access that the endpoint declares; query and body; handler. Errors are rendered in the dialect's own shape.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from gateway import metrics
from gateway.api.access_log import log_request
from gateway.api.actors import actor_of
from gateway.api.auth import authenticate
from gateway.api.body import INTAKE, Intake, decode_body, encode, read_body
from gateway.api.errors import Internal, NoRoute, Renderer, WrongMethod, core_error, error_headers
from gateway.api.query import parse_query
from gateway.api.ratelimit import RequestLimits, gateway_limits, rate_limit
from gateway.api.routing import Call, Endpoint, NoBody, NoQuery, Router, Table, split_raw_path
from gateway.api.unknown_fields import check_json, refuses
from gateway.core.access import Access, admit
from gateway.core.context import Core
from gateway.events.dialect_format import Wire
from gateway.logs import current_request
from gateway.records.ids import KeyId, OrganizationId, new_ulid
from gateway.settings import Settings
from gateway.store.acting import acting
from gateway.store.scope import Scope as Reach
from mailserver.networks import client_of

log = logging.getLogger("postern.http")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

Around = Callable[[Endpoint, Call[Any, Any], Callable[[], Awaitable[Response]]], Awaitable[Response]]
"""Wraps each endpoint: called with the endpoint, the call and the function that runs it (idempotency, for example)."""
Socket = Callable[[Core, Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """A dialect: its endpoints, error format, webhook format and WebSocket.

    ``error_schema`` is the JSON Schema of an error's body. ``socket_path`` is the WebSocket's path below the prefix,
    ``socket_access`` what a key needs to connect (each subscription is checked by ``core.event_reach``).
    ``blind``: labels whose messages are hidden in this dialect. ``also``: more prefixes of the same endpoints and
    WebSocket.
    """

    name: str
    prefix: str
    title: str
    table: Table
    render_error: Renderer
    error_schema: dict[str, Any]
    wire: Callable[[Core], Wire]
    around: Around | None = None
    limits: Callable[[Settings], RequestLimits] = gateway_limits
    socket: Socket | None = None
    socket_path: str = ""
    socket_access: Access | None = None
    blind: frozenset[str] = frozenset()
    also: tuple[str, ...] = ()

    def routes(self, core: Core) -> list[BaseRoute]:
        """The routes that the Starlette application mounts."""
        router = Router(self.table.endpoints)
        return [DialectRoute(self, core, router, prefix) for prefix in (self.prefix, *self.also)]


class DialectRoute(BaseRoute):
    """The route of everything under one of a dialect's prefixes."""

    def __init__(self, dialect: Dialect, core: Core, router: Router, prefix: str) -> None:
        self.dialect = dialect
        self.core = core
        self.router = router
        self._prefix = prefix
        self._skip = prefix.count("/")
        self._socket_path = prefix + dialect.socket_path

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path: str = scope.get("path", "")
        prefix = self._prefix
        if scope["type"] in ("http", "websocket") and (path == prefix or path.startswith(prefix + "/")):
            return Match.FULL, {}
        return Match.NONE, {}

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        raise LookupError(name)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            if self.dialect.socket is not None and scope["path"].rstrip("/") == self._socket_path:
                await self.dialect.socket(self.core, scope, receive, send)
                return
            await self.error_response(NoRoute("there is no WebSocket here"))(scope, receive, send)
            return
        request = Request(scope, receive)
        started = time.perf_counter()
        request_id = request_id_of(request)
        current_request.set(request_id)
        seen = _Seen()
        try:
            response = await self._with_memory(request, request_id, seen)
        except ClientDisconnect:
            return
        except Exception as error:
            # no name may outlive this block: the error's frames keep the request body in memory
            if isinstance(core_error(error), Internal):
                log.exception("request %s failed", request_id, extra={"request_id": request_id})
            response = self.error_response(error)
        response.headers["X-Request-Id"] = request_id
        for name, value in seen.headers.items():
            response.headers.setdefault(name, value)  # an error's own headers are more precise
        await response(scope, receive, send)
        seconds = time.perf_counter() - started
        route = seen.endpoint.path if seen.endpoint else "none"
        method = request.method if seen.endpoint else "other"
        metrics.requests.labels(self.dialect.name, method, route, str(response.status_code)).inc()
        metrics.request_seconds.labels(self.dialect.name).observe(seconds)
        log_request(log, request, request_id, seen.key_id, response.status_code, seconds)

    def error_response(self, error: Exception) -> Response:
        """Render an error in this dialect's format."""
        refused = core_error(error)
        status, body = self.dialect.render_error(refused)
        return Response(encode(body), status, error_headers(refused), "application/json")

    async def _with_memory(self, request: Request, request_id: str, seen: _Seen) -> Response:
        """Answer a request; the memory it reserves is released before the answer is sent."""
        address = client_of(request.client.host) if request.client else ""
        with self.core.memory.tab(address) as tab:
            request.scope[INTAKE] = Intake(self.core, address, tab)
            return await self._answer(request, request_id, seen)

    async def _answer(self, request: Request, request_id: str, seen: _Seen) -> Response:
        endpoint: Endpoint | None = None
        ids: dict[str, str] = {}
        unknown: NoRoute | WrongMethod | None = None
        try:
            endpoint, ids = self.router.find(request.method, split_raw_path(request.scope, self._skip))
            seen.endpoint = endpoint
        except (NoRoute, WrongMethod) as error:  # answered only to callers with a key
            unknown = error
        reach = NOBODY
        if endpoint is None or not endpoint.access.open:
            reach = replace(await authenticate(self.core, request), blind=self.dialect.blind)
            seen.key_id = reach.key_id
            request.scope[INTAKE].known(reach)
            rate_limit(self.core, reach, seen.headers, self.dialect.limits(self.core.settings))
        if endpoint is None:
            raise unknown or NoRoute("there is no such path")
        if not endpoint.access.open:
            await admit(self.core.store, reach, endpoint.access, ids)
        query: Any = None
        if endpoint.query is not NoQuery:
            query = parse_query(request.scope["query_string"], endpoint.query)
        body: Any = None
        if endpoint.method in ("POST", "PUT", "PATCH", "DELETE") and not endpoint.raw_body:
            raw = await read_body(request, endpoint.max_body or self.core.settings.http.max_body)
            if endpoint.body is NoBody:
                check_json(raw, NoBody, refuses(self.core.settings))
            else:
                body = decode_body(raw, endpoint.body, self.core.settings)
            del raw  # a large one is not kept: the decoded body is enough
        call: Call[Any, Any] = Call(
            core=self.core,
            scope=reach,
            request=request,
            ids=ids,
            body=body,
            query=query,
            request_id=request_id,
            public_url=public_url(self.core, request),
            headers=seen.headers,
        )
        if endpoint.method == "GET":
            return await self._around(endpoint, call)
        name = endpoint.handler.__name__
        with acting(actor_of(request, reach, self.dialect.name, name, request_id)):
            return await self._around(endpoint, call)

    async def _around(self, endpoint: Endpoint, call: Call[Any, Any]) -> Response:
        run = partial(_run, endpoint, call)
        if self.dialect.around is not None:
            return await self.dialect.around(endpoint, call, run)
        return await run()


async def _run(endpoint: Endpoint, call: Call[Any, Any]) -> Response:
    answer = await endpoint.handler(call)
    if isinstance(answer, Response):
        return answer
    if answer is None:
        return Response(status_code=call.status or 204)
    return Response(encode(answer), call.status or endpoint.status, media_type="application/json")


NOBODY = Reach(organization=OrganizationId(""))


@dataclass(slots=True)
class _Seen:
    """What the log needs of a request, also when it fails."""

    endpoint: Endpoint | None = None
    key_id: KeyId | None = None
    headers: dict[str, str] = field(default_factory=dict)


def request_id_of(request: Request) -> str:
    """The id that a request is logged with: a valid X-Request-Id of the client, else a new one."""
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else f"req_{new_ulid()}"


def public_url(core: Core, request: Request) -> str:
    """The base URL by which clients reach the API, without a trailing slash."""
    if core.settings.http.public_url:
        return core.settings.http.public_url.rstrip("/")
    return f"{request.url.scheme}://{request.url.netloc}"
