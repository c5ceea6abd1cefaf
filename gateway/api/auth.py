"""Authenticates a request by its API key. The key never enters a log, a URL we build or an answer."""

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


def key_of(connection: HTTPConnection, *, in_query: str = "", in_header: str = "") -> str | None:
    """The key in ``Authorization: Bearer KEY``, or else in the header ``in_header`` or the query parameter ``in_query``
    where one is named (browsers cannot set headers on a WebSocket). None when there is no key."""
    scheme, _, key = connection.headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    if in_header and (key := connection.headers.get(in_header, "").strip()):
        return key
    if in_query:
        query: str = connection.scope.get("query_string", b"").decode("latin-1")
        with contextlib.suppress(ValueError):  # more than 100 parameters
            for name, value in parse_qsl(query, max_num_fields=100, errors="replace"):
                if name == in_query:
                    return value
    return None


async def authenticate(
    core: Core, connection: HTTPConnection, *, in_query: str = "", in_header: str = ""
) -> Scope:
    """The scope of the caller's key. Raises Unauthorized, with the same text for every wrong key, or TooMany."""
    key = key_of(connection, in_query=in_query, in_header=in_header)
    if key is None:
        raise Unauthorized(
            "there is no API key",
            code="missing_api_key",
            fix="send the header Authorization: Bearer <API_KEY>"
            + (f" or {in_header}: <API_KEY>" if in_header else ""),
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
    """Delay the answer to a wrong key: the more of them a network sends, the longer. Right keys are never delayed."""
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
