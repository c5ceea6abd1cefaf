"""Letting WebSockets in: whose key it is, out of the log with it, and how many of an organization may be open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlencode

from starlette.requests import HTTPConnection
from starlette.types import Scope as AsgiScope

from gateway import metrics
from gateway.api.auth import authenticate, key_of
from gateway.api.ratelimit import rate_limit
from gateway.core.access import check, reads
from gateway.core.context import Core
from gateway.core.errors import TooMany
from gateway.store.scope import Scope

SOCKET = reads()
"""Any key may connect: what a subscription asks for is judged by its event types (``core.event_reach``)."""


class TooManyOpen(TooMany):
    """The organization has all the WebSockets open that it may have."""


async def admit(core: Core, handshake: AsgiScope, key_name: str) -> tuple[str, Scope]:
    """The key of a handshake, from the header or the query parameter ``key_name``, and its reach.

    Raises Unauthorized, Forbidden, TooMany, TooManyOpen, StoreDown. Whatever comes of it, the key is out of the URL.
    """
    connection = HTTPConnection(handshake)
    try:
        key = key_of(connection, in_query=key_name) or ""
        reach = await authenticate(core, connection, in_query=key_name)
    finally:
        _hide_key(handshake, key_name)
    rate_limit(core, reach, {})
    check(reach, SOCKET)
    most = core.settings.limits.websockets
    if most and core.live.open[reach.organization] >= most:
        raise TooManyOpen(f"{most} WebSockets are open", 30, fix="close one, or raise limits.websockets")
    return key, reach


@contextmanager
def counted(core: Core, reach: Scope) -> Iterator[None]:
    """Count an open socket. Enter without a pause after ``admit``, or one too many gets in."""
    with core.live.counted(reach.organization), metrics.sockets.track_inprogress():
        yield


def _hide_key(handshake: AsgiScope, key_name: str) -> None:
    """The server logs the URL of a WebSocket; the key in it must not get there."""
    query = handshake.get("query_string", b"")
    if not query:
        return
    try:
        pairs = parse_qsl(query.decode("latin-1"), max_num_fields=100)
        handshake["query_string"] = urlencode([one for one in pairs if one[0] != key_name]).encode()
    except ValueError:  # a hundred parameters and more
        handshake["query_string"] = b""
