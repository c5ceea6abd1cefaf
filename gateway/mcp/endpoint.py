"""The route ``/mcp``: checks each request, and starts the server for the first client.

The order for each request: origin; key (``Authorization: Bearer`` or ``X-Api-Key``; checked on every POST, so a revoked
key is refused on the next call); rate limit; then the protocol. GET and DELETE are 405, because there are no sessions:
the ``Mcp-Session-Id`` that an older client gets only identifies its calls, so that it can cancel them. Nothing is
stored under it, and any value is accepted.

DNS rebinding: a page that makes a browser call a gateway on the reader's machine or network sends its own site as
Origin. It is refused unless that is ``http.public_url``, a loopback name or one of ``mcp.origins``. ``Host`` is not
checked: a gateway has many names behind proxies, and every request needs a key, which no browser sends by itself.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Message, Receive, Scope, Send

from gateway import metrics
from gateway.api.access_log import log_request
from gateway.api.auth import authenticate
from gateway.api.body import INTAKE, Intake, encode, read_body
from gateway.api.dialect import public_url, request_id_of
from gateway.api.errors import Internal, Unauthorized, WrongMethod, core_error, error_headers
from gateway.api.ratelimit import rate_limit
from gateway.core.context import Core
from gateway.core.errors import CoreError, Forbidden, TooLarge, TooMany, Unavailable
from gateway.logs import current_request
from gateway.mcp.limits import CALLER, MAX_BODY
from gateway.mcp.toolbox import Caller
from gateway.records.ids import KeyId

log = logging.getLogger("postern.http")

PATH = "/mcp"
KEY_HEADER = "X-Api-Key"
_SERVER_ERROR = -32000  # JSON-RPC 2.0 §5.1
_SESSION, _VERSION = "mcp-session-id", "mcp-protocol-version"
_CLIENT_LEFT = 499  # as nginx logs it
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_STATUS: list[tuple[type[CoreError], int]] = [
    (Unauthorized, 401),
    (Forbidden, 403),
    (WrongMethod, 405),
    (TooLarge, 413),
    (TooMany, 429),
    (Unavailable, 503),
    (Internal, 500),
]


class McpRoute(BaseRoute):
    """The route. ``stop`` stops the server."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._opening: asyncio.Task[Any] | None = None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and scope.get("path", "").rstrip("/") == PATH:
            return Match.FULL, {}
        return Match.NONE, {}

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        raise LookupError(name)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and log it."""
        request = Request(scope, receive)
        started = time.perf_counter()
        seen = _Seen(send, request_id_of(request))
        current_request.set(seen.request_id)
        try:
            await self._answer(request, scope, receive, seen)
        except Exception as error:
            refused = core_error(error)
            if isinstance(refused, Internal):
                log.exception("request %s failed", seen.request_id, extra={"request_id": seen.request_id})
            if seen.status:
                raise
            await _refusal(refused)(scope, receive, seen)
        seen.status = seen.status or _CLIENT_LEFT
        seconds = time.perf_counter() - started
        metrics.requests.labels("mcp", request.method, PATH, str(seen.status)).inc()
        metrics.request_seconds.labels("mcp").observe(seconds)
        log_request(log, request, seen.request_id, seen.key_id, seen.status, seconds)

    async def _answer(self, request: Request, scope: Scope, receive: Receive, seen: _Seen) -> None:
        origin = request.headers.get("origin")
        if origin is not None:
            self._admit(origin, seen)
        if request.method == "OPTIONS":
            await Response(status_code=204)(scope, receive, seen)
            return
        key_scope = await authenticate(self._core, request, in_header=KEY_HEADER)
        seen.key_id = key_scope.key_id
        rate_limit(self._core, key_scope, seen.headers)
        if request.method != "POST":
            raise WrongMethod(["POST"])
        announced = request.headers.get("content-length", "")
        if announced.isascii() and announced.isdigit() and (len(announced) > 18 or int(announced) > MAX_BODY):
            raise TooLarge(
                f"the request is larger than {MAX_BODY} octets",
                fix="send smaller attachments, or links to them",
            )
        scope[CALLER] = Caller(
            scope=key_scope,
            inbox=request.headers.get("x-postern-inbox") or request.query_params.get("inbox") or None,
            public_url=public_url(self._core, request),
            request_id=seen.request_id,
            session=request.headers.get(_SESSION),
            ip=request.client.host if request.client else None,
        )
        if (
            _SESSION not in request.headers and _VERSION not in request.headers
        ):  # the first request of an older client
            seen.headers["Mcp-Session-Id"] = secrets.token_hex(16)
        server = await self._server()
        accepts = request.headers.get("accept", "")
        with self._core.memory.tab(key_scope.organization) as tab:
            scope[INTAKE] = Intake(self._core, key_scope.organization, tab)
            body = await read_body(request, MAX_BODY)
            await server.handle(scope, _replayed(body, receive), seen, stream="text/event-stream" in accepts)

    def _admit(self, origin: str, seen: _Seen) -> None:
        """Raise Forbidden for a page of another site; let an allowed page read the answer (CORS)."""
        http, allowed = self._core.settings.http, self._core.settings.mcp.origins
        try:
            host = urlsplit(origin).hostname
        except ValueError:
            host = None
        own = urlsplit(http.public_url)
        if host not in _LOOPBACK and origin != f"{own.scheme}://{own.netloc}" and origin not in allowed:
            raise Forbidden(
                f"pages of {origin[:200]} may not use this server",
                code="origin_not_allowed",
                fix="the operator can add the page's origin to mcp.origins",
            )
        seen.headers |= {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Allow-Headers": "Authorization, X-Api-Key, Content-Type, Mcp-Protocol-Version, "
            "Mcp-Session-Id, Mcp-Method, Mcp-Name, X-Postern-Inbox",
            "Access-Control-Expose-Headers": "Mcp-Session-Id, WWW-Authenticate, X-Request-Id",
            "Vary": "Origin",
        }

    async def _server(self) -> Any:
        """The started server; concurrent requests wait for the same start."""
        if self._opening is None or (self._opening.done() and self._opening.exception()):
            self._opening = asyncio.create_task(self._open(), name="mcp-opening")
        return await asyncio.shield(self._opening)

    async def _open(self) -> Any:
        module = await asyncio.to_thread(import_module, "gateway.mcp.server")
        server = module.McpServer(self._core)
        await server.start()
        return server

    async def stop(self) -> None:
        """Stop the server and its running calls."""
        if self._opening is not None:
            await (await self._opening).stop()


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives a body that was already read, then what follows it."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


class _Seen:
    """The client's ``send``: adds our headers to the answer and notes its status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.key_id: KeyId | None = None
        self.status = 0
        self.headers: dict[str, str] = {}

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.request_id
            for name, value in self.headers.items():
                headers.setdefault(name, value)
        await self._send(message)


def _refusal(error: CoreError) -> Response:
    """An error before the protocol handles the request, as JSON-RPC, so that clients show its text."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 400)
    message = f"{error.message}; {error.fix}" if error.fix else error.message
    details = {"code": _SERVER_ERROR, "message": message, "data": {"code": error.code}}
    body = {"jsonrpc": "2.0", "id": None, "error": details}
    return Response(encode(body), status, error_headers(error), "application/json")
