"""Serves the MTA-STS policy of a mail domain (RFC 8461 §3.2).

The domain comes from the Host header (``mta-sts.DOMAIN``); only this server's domains are answered. The reverse proxy
must pass Host on and have a certificate for that name.
"""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.api.well_known_clients import client_routes, host_of
from gateway.core.context import Core
from gateway.core.domains.records import policy_of
from gateway.core.inboxes.client_settings import our_domain
from gateway.store.engine import StoreDown


def well_known_routes(core: Core) -> list[Route]:
    """The routes of this module and of ``well_known_clients``."""
    return [
        Route("/.well-known/mta-sts.txt", partial(_policy, core), methods=["GET"]),
        *client_routes(core),
    ]


async def _policy(core: Core, request: Request) -> Response:
    label, _, name = host_of(request).partition(".")
    try:
        domain = await our_domain(core, name) if label == "mta-sts" else None
    except StoreDown:
        return PlainTextResponse("not now\n", 503, {"Retry-After": "60"})
    if domain is None:
        return PlainTextResponse("there is no policy here\n", 404)
    return PlainTextResponse(policy_of(core.settings, domain).text, headers={"Cache-Control": "max-age=300"})
