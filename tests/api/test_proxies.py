"""Whose address a request has: the client's own, and none that it made up."""

from __future__ import annotations

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from gateway.api.proxies import with_proxy_headers
from gateway.settings import Http

pytestmark = pytest.mark.anyio
PROXY, CLIENT = "192.0.2.1", "203.0.113.9"


async def seen(http: Http, peer: str | None, *forwarded: str) -> str:
    """The address that the application sees; ``peer``: who opened the connection, None on a Unix socket."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        client = Request(scope).client
        await PlainTextResponse(client.host if client else "none")(scope, receive, send)

    wrapped = with_proxy_headers(app, http, unix=bool(http.unix_socket))

    async def connection(scope: Scope, receive: Receive, send: Send) -> None:
        scope["client"] = (peer, 5000) if peer else None
        await wrapped(scope, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(connection)) as client:
        answer = await client.get("http://x.test/", headers=[("X-Forwarded-For", one) for one in forwarded])
    return answer.text


@pytest.mark.parametrize("forwarded", [(), (CLIENT,), (f"198.51.100.1, {CLIENT}",), ("198.51.100.1", CLIENT)])
async def test_a_trusted_proxy_is_believed_for_what_it_added_itself(forwarded: tuple[str, ...]) -> None:
    trusting = Http(trusted_proxies=[PROXY])
    assert await seen(trusting, PROXY, *forwarded) == (CLIENT if forwarded else PROXY)
    assert await seen(trusting, CLIENT, *forwarded) == CLIENT
    assert await seen(Http(), PROXY, *forwarded) == PROXY


async def test_a_chain_of_proxies_is_followed_back_to_the_first_stranger() -> None:
    chain = Http(trusted_proxies=[PROXY, "10.0.0.0/8"])
    assert await seen(chain, PROXY, f"198.51.100.1, {CLIENT}, 10.1.2.3") == CLIENT


async def test_on_a_unix_socket_the_proxy_is_whoever_opened_it() -> None:
    socket = Http(unix_socket="gateway.sock")
    assert await seen(socket, None, f"198.51.100.1, {CLIENT}") == CLIENT
    assert await seen(socket, None, f"unix, {CLIENT}") == CLIENT
    assert await seen(socket, None) == "unix"
    assert await seen(Http(), None, CLIENT) == "none"
