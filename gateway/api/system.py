"""What stands outside every dialect: health, metrics, the API description and its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.api.dialect import Dialect
from gateway.api.docs import docs_page
from gateway.api.health import Lag, health_routes
from gateway.api.openapi import describe
from gateway.core.context import Core


def system_routes(core: Core, parts: Mapping[str, Lag], dialects: Sequence[Dialect]) -> list[BaseRoute]:
    """Routes of ``/health``, ``/ready``, ``/metrics``, ``/openapi.json``, ``/docs`` and ``/``."""
    document = msgspec.json.encode(describe(dialects, core.settings.http.public_url))

    async def openapi(request: Request) -> Response:
        return Response(document, media_type="application/json")

    async def front(request: Request) -> Response:
        return RedirectResponse("docs", 302)

    return [
        *health_routes(core, parts),
        Route("/openapi.json", openapi, methods=["GET"]),
        Route("/docs", docs_page, methods=["GET"]),
        Route("/", front, methods=["GET"]),
    ]
