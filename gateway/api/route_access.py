"""Routes outside the dialects, each with the access it declares (``core.access``). ``gateway.app.routes`` lists them.

The operator's routes are checked here, before the handler runs: for other keys these paths do not exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from gateway.api.auth import authenticate
from gateway.api.body import encode
from gateway.api.errors import NoRoute, Unauthorized, core_error, error_headers
from gateway.core.access import Access
from gateway.core.context import Core
from gateway.core.errors import CoreError, NotFound
from gateway.store.engine import StoreDown


class DeclaredRoute(BaseRoute):
    """A route of Starlette with its ``access``: ``OPEN`` or ``OPERATOR``."""

    def __init__(self, core: Core, access: Access, route: BaseRoute) -> None:
        if not (access.open or access.operator):
            raise ValueError("outside the dialects a route is open or only for the operator")
        self.access = access
        self.route = route
        self._core = core

    @property
    def path(self) -> str:
        return self.route.path if isinstance(self.route, Route) else str(self.route)

    @property
    def methods(self) -> set[str]:
        return set(self.route.methods or ()) if isinstance(self.route, Route) else set()

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return self.route.matches(scope)

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        return self.route.url_path_for(name, **path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.access.operator and scope["type"] == "http":
            try:
                reach = await authenticate(self._core, Request(scope, receive))
                if not reach.operator:
                    raise NoRoute("there is no such path", fix="/openapi.json lists every path")
            except (CoreError, StoreDown) as error:
                await _refused(error)(scope, receive, send)
                return
        await self.route.handle(scope, receive, send)


def with_access(core: Core, access: Access, routes: Iterable[BaseRoute]) -> list[BaseRoute]:
    """The routes, each declared with ``access``."""
    return [DeclaredRoute(core, access, route) for route in routes]


def _refused(error: Exception) -> Response:
    refused = core_error(error)
    status = 401 if isinstance(refused, Unauthorized) else 404 if isinstance(refused, NotFound) else 503
    body = {"code": refused.code, "message": refused.message, "fix": refused.fix}
    headers = {"Cache-Control": "no-store", **error_headers(refused)}
    return Response(encode(body), status, headers, "application/json")
