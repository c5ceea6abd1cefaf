"""The routes outside the dialects, each with what it needs of a key (``core.access``): the one list is ``gateway.app``.

A door is a route of Starlette with its access declared. What is the operator's is refused here, before the handler
runs: for every other key these paths do not exist.
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


class Door(BaseRoute):
    """One route with its ``access``, which is ``OPEN`` or the operator's."""

    def __init__(self, core: Core, access: Access, route: BaseRoute) -> None:
        if not (access.open or access.operator):
            raise ValueError("outside the dialects a route is open, or the operator's")
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


def doors(core: Core, access: Access, routes: Iterable[BaseRoute]) -> list[BaseRoute]:
    """The routes, each with the access declared."""
    return [Door(core, access, one) for one in routes]


def _refused(error: Exception) -> Response:
    refused = core_error(error)
    status = 401 if isinstance(refused, Unauthorized) else 404 if isinstance(refused, NotFound) else 503
    body = {"code": refused.code, "message": refused.message, "fix": refused.fix}
    headers = {"Cache-Control": "no-store", **error_headers(refused)}
    return Response(encode(body), status, headers, "application/json")
