"""From a request to the reach of its key. The key itself never enters a log, a URL we build or an answer."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import parse_qsl

from starlette.requests import HTTPConnection

from gateway.api.errors import Unauthorized
from gateway.core.context import Core
from gateway.core.errors import TooMany
from gateway.store.scope import Scope

_MOST_WAITING = 100
_RETRY = 10  # seconds


def key_of(connection: HTTPConnection, *, in_query: str = "") -> str | None:
    """The key of ``Authorization: Bearer KEY``; with ``in_query`` also of the parameter of that name (browsers
    cannot set headers on a WebSocket)."""
    scheme, _, key = connection.headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    if in_query:
        query: str = connection.scope.get("query_string", b"").decode("latin-1")
        with contextlib.suppress(ValueError):  # a hundred parameters and more
            for name, value in parse_qsl(query, max_num_fields=100, errors="replace"):
                if name == in_query:
                    return value
    return None


async def authenticate(core: Core, connection: HTTPConnection, *, in_query: str = "") -> Scope:
    """The caller's reach. Raises Unauthorized, the same for every wrong key."""
    key = key_of(connection, in_query=in_query)
    if key is None:
        raise Unauthorized(
            "there is no API key",
            code="missing_api_key",
            fix="send the header Authorization: Bearer <API_KEY>",
        )
    scope = await core.keys.identify(core.store, key)
    if scope is None:
        await _slow_down(core, connection)
        raise Unauthorized(
            "this API key is not known here: it is wrong, expired or revoked",
            code="unknown_api_key",
            fix="make a new one with POST /api-keys, or with `postern key create`",
        )
    return scope


async def _slow_down(core: Core, connection: HTTPConnection) -> None:
    """Let the answer to a wrong key wait, the longer the more of them a network sends; a right one never does."""
    address = connection.client.host if connection.client else ""
    wait = core.keys.wrong.begin(address, address)
    try:
        if wait and core.keys.wrong.under_way() > _MOST_WAITING:
            raise TooMany(
                "this network sends too many wrong API keys", retry_after=_RETRY, fix="correct the API key"
            )
        await asyncio.sleep(wait)
    finally:
        core.keys.wrong.end(address, address, success=False)
