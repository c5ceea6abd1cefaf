"""The routes outside the dialects: health, metrics, the API description and its page, texts for agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.api.billing_page import billing_routes
from gateway.api.cli_auth import cli_auth_routes
from gateway.api.dialect import Dialect
from gateway.api.docs import docs_routes
from gateway.api.health import Lag, Watching, health_routes
from gateway.api.openapi import describe
from gateway.api.skill import skill_routes
from gateway.core.context import Core


async def no_such_path(request: Request, error: Exception) -> Response:
    """Answer a path or method that no route has, outside the dialects, in JSON."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    what = "there is no such path" if status == 404 else f"this path does not accept {request.method}"
    body = {
        "name": "NotFoundError" if status == 404 else "MethodNotAllowedError",
        "code": "not_found" if status == 404 else "method_not_allowed",
        "message": what,
        "fix": "/openapi.json lists every path",
    }
    headers = error.headers if isinstance(error, HTTPException) else None
    return Response(msgspec.json.encode(body), status, headers, "application/json")


def system_routes(
    core: Core, parts: Mapping[str, Lag], dialects: Sequence[Dialect], idle: Watching | None = None
) -> list[BaseRoute]:
    """The routes of ``/health``, ``/ready``, ``/metrics``, ``/openapi.json``, ``/docs``, ``/skill.md``, ``/llms.txt``,
    ``/auth/cli``, ``/billing`` and ``/``."""
    document = msgspec.json.encode(describe(dialects, core.settings.http.public_url))

    async def front(request: Request) -> Response:
        return RedirectResponse("docs", 302)

    return [
        *health_routes(core, parts, idle),
        *skill_routes(core, dialects),
        *cli_auth_routes(core),
        *billing_routes(core),
        *docs_routes(document),
        Route("/", front, methods=["GET"]),
    ]
