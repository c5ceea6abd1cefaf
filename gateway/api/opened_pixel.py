"""The tracking pixel: serves the picture of a tracked message, without a key (``core.sending.open_tracking``)."""

from __future__ import annotations

import logging
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.core.context import Core
from gateway.core.errors import NotFound
from gateway.core.sending.open_tracking import PATH, record_opening
from gateway.store.engine import StoreDown

log = logging.getLogger("postern.opened")

GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff"  # one pixel, two colours
    b"!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"  # the first of them clear
)
_HEADERS = {
    "Cache-Control": "private, no-store, no-cache, max-age=0",
    "Expires": "0",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


def opened_routes(core: Core) -> list[Route]:
    """The route of the tracking pixel."""
    return [Route(f"{PATH}/{{token}}.gif", partial(_answer, core), methods=["GET"])]


async def _answer(core: Core, request: Request) -> Response:
    """Answer with the picture, also when the token is unknown: a mail program must not show a broken picture."""
    status = 200
    if request.method == "GET":  # HEAD does not count as opened
        try:
            await record_opening(core, request.path_params["token"])
        except NotFound:
            status = 404
        except StoreDown as error:
            log.warning("no message.opened event was recorded: %s", error)
    return Response(GIF, status, _HEADERS, "image/gif")
