"""``/auth/cli``: sign-in for OpenMail's command line, without typing a key (``core.accounts.cli_login``).

``POST /auth/cli/start`` answers a code. ``GET /auth/cli/poll`` answers the key once the code is approved, with
``postern auth approve CODE`` on the server or ``POST /v1/cli-logins/{code}/approve``.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.api.body import encode
from gateway.api.dialect import public_url
from gateway.api.errors import core_error, error_headers
from gateway.core.accounts import cli_login
from gateway.core.context import Core
from gateway.core.errors import CoreError, NotFound, TooMany
from gateway.store.engine import StoreDown

_REFUSED = (CoreError, StoreDown)

_PAGE = """A program asks for a key to this mail server. Its code:

    {code}

If it is yours and shows the same code, approve it on the mail server:

    postern auth approve {code}
"""


def _answer(status: int, body: dict[str, Any]) -> Response:
    return Response(encode(body), status, {"Cache-Control": "no-store"}, "application/json")


def _refusal(error: Exception) -> Response:
    refused = core_error(error)
    status = 404 if isinstance(refused, NotFound) else 429 if isinstance(refused, TooMany) else 503
    answer = _answer(status, {"error": refused.code, "message": refused.message})
    answer.headers.update(error_headers(refused))
    return answer


def cli_auth_routes(core: Core) -> list[BaseRoute]:
    """The routes of the sign-in; no key is needed."""

    async def start(request: Request) -> Response:
        address = request.client.host if request.client else None
        try:
            started = await cli_login.start(core, address, request.headers.get("user-agent", ""))
        except _REFUSED as error:
            return _refusal(error)
        code = quote(started.user_code)
        return _answer(
            200,
            {
                "requestId": started.request_id,
                "userCode": started.user_code,
                "verifyUrl": f"{public_url(core, request)}/auth/cli?code={code}",
                "expiresInSeconds": cli_login.SECONDS,
            },
        )

    async def poll(request: Request) -> Response:
        try:
            key = await cli_login.fetch(core, request.query_params.get("requestId", ""))
        except _REFUSED as error:
            return _refusal(error)
        if key is None:
            return _answer(202, {"status": "pending"})
        return _answer(200, {"status": "ready", "apiKey": key})

    async def page(request: Request) -> Response:
        code = cli_login.folded(request.query_params.get("code", ""))
        return PlainTextResponse(
            _PAGE.format(code=code or "CODE"), headers={"X-Content-Type-Options": "nosniff"}
        )

    return [
        Route("/auth/cli", page, methods=["GET"]),
        Route("/auth/cli/start", start, methods=["POST"]),
        Route("/auth/cli/poll", poll, methods=["GET"]),
    ]
