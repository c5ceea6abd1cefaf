"""``POST /operator/round-trip`` ``{"seconds": 40}``: sends a message to an inbox of this server and waits for it, for
``postern doctor`` (``core.accounts.self_test``).

Only the operator's key may use it (``route_access``); for other keys the path does not exist.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api.body import decode, encode, read_body
from gateway.api.errors import core_error
from gateway.core.accounts import self_test
from gateway.core.context import Core
from gateway.core.errors import CoreError, Invalid, NotFound
from gateway.store.engine import StoreDown
from mailserver.base import MailServerError


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """``seconds``: how long to wait for the message."""

    seconds: Annotated[float, msgspec.Meta(gt=0, le=120)] = 40.0


def self_test_routes(core: Core) -> list[Route]:
    """The route."""

    async def round_trip(request: Request) -> Response:
        try:
            wanted = decode(await read_body(request, 1024), Wanted)
            taken = await self_test.round_trip(core, wanted.seconds)
        except (CoreError, StoreDown, MailServerError) as error:
            refused = core_error(error)
            status = 503
            for kind, code in ((NotFound, 404), (Invalid, 400)):
                status = code if isinstance(refused, kind) else status
            return _answer(status, {"code": refused.code, "message": refused.message, "fix": refused.fix})
        return _answer(200, {"milliseconds": round(1000 * taken)})

    return [Route("/operator/round-trip", round_trip, methods=["POST"])]


def _answer(status: int, body: dict[str, Any]) -> Response:
    return Response(encode(body), status, {"Cache-Control": "no-store"}, "application/json")
