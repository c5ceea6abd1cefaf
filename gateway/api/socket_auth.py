"""Admits WebSockets: checks the key, keeps it out of the log, and limits how many an organization has open."""

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
"""Any key may connect. Each subscription is checked by its event types (``core.event_reach``)."""


class TooManyOpen(TooMany):
    """The organization has as many WebSockets open as it may."""


async def admit(core: Core, handshake: AsgiScope, key_name: str) -> tuple[str, Scope]:
    """The key of a handshake, from the header or the query parameter ``key_name``, and its scope.

    The key is removed from the URL in any case. Raises Unauthorized, Forbidden, TooMany, TooManyOpen, StoreDown.
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
    """Count an open socket. Do not await between ``admit`` and this, or one socket too many is admitted."""
    with core.live.counted(reach.organization), metrics.sockets.track_inprogress():
        yield


def _hide_key(handshake: AsgiScope, key_name: str) -> None:
    """Remove the key from the URL, which the server logs."""
    query = handshake.get("query_string", b"")
    if not query:
        return
    try:
        pairs = parse_qsl(query.decode("latin-1"), max_num_fields=100)
        handshake["query_string"] = urlencode([pair for pair in pairs if pair[0] != key_name]).encode()
    except ValueError:  # more than 100 parameters
        handshake["query_string"] = b""
