"""MCP over standard input and output, for clients that start a program: each call goes on to a gateway's ``/mcp``.

The tools, their words and their results are the gateway's own. The two sides agree on a protocol version each for
itself; progress and cancelling go through.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
)

from gateway import __version__

_E = TypeVar("_E", bound=Exception)
_LONGEST = 330.0
"""Seconds an answer may take: longer than the longest wait for mail."""


class NoGateway(Exception):
    """The gateway cannot be reached, or does not take the key; the words say which."""


@dataclass(frozen=True, slots=True)
class Far:
    """The gateway: its base URL, the key, the inbox that is meant where a call names none, and its Unix socket where it
    listens on one."""

    base_url: str
    key: str
    inbox: str | None = None
    unix_socket: str | None = None


async def bridge(far: Far) -> None:
    """Serve standard input and output until the input ends. Raises NoGateway when the start fails."""
    headers = {"Authorization": f"Bearer {far.key}", "User-Agent": f"postern-mcp/{__version__}"}
    if far.inbox:
        headers["X-Postern-Inbox"] = far.inbox
    socket = httpx2.AsyncHTTPTransport(uds=far.unix_socket) if far.unix_socket else None
    timeout = httpx2.Timeout(30, read=_LONGEST)
    url = f"{far.base_url.rstrip('/')}/mcp"
    async with httpx2.AsyncClient(headers=headers, timeout=timeout, transport=socket) as http:
        await _look(http, url)
        async with _remote(http, url) as remote:
            words = remote.instructions
        server = _server(http, url, words)
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())


def _remote(http: httpx2.AsyncClient, url: str) -> Client:
    """A client for one call: what breaks it (a gateway that restarts) breaks no other."""
    return Client(streamable_http_client(url, http_client=http), cache=None)


async def _look(http: httpx2.AsyncClient, url: str) -> None:
    """Raise NoGateway with words for the operator when the gateway does not let this key in."""
    try:
        # answered with 405 to whoever has a key: there is nothing to GET
        answer = await http.get(url)
    except httpx2.HTTPError as error:
        raise NoGateway(f"no gateway answers at {url}: {error or type(error).__name__}") from error
    if answer.status_code == 405:
        return
    try:
        words = answer.json()["error"]["message"]
    except (ValueError, LookupError, TypeError):
        words = f"it answers {answer.status_code}, as no Postern with MCP does"
    raise NoGateway(f"the gateway at {url} refused: {words}")


def _server(http: httpx2.AsyncClient, url: str, instructions: str | None) -> Server[Any]:
    async def on_list_tools(
        ctx: ServerRequestContext[Any], params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        with _lost():
            async with _remote(http, url) as remote:
                return await remote.list_tools()

    async def on_call_tool(ctx: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        with _lost():
            async with _remote(http, url) as remote:
                return await remote.call_tool(
                    params.name, params.arguments, progress_callback=ctx.session.report_progress
                )

    return Server(
        "postern",
        title="Postern",
        version=__version__,
        instructions=instructions,
        on_list_tools=on_list_tools,
        on_call_tool=on_call_tool,
    )


@contextlib.contextmanager
def _lost() -> Iterator[None]:
    """Say it in words when the gateway does not answer, or what it refused."""
    try:
        yield
    except ExceptionGroup as group:  # of the client's tasks
        refused = _first(group, MCPError)
        if refused is not None:
            raise refused from group
        lost = _first(group, httpx2.HTTPError)
        if lost is None:
            raise
        words = f"the gateway does not answer now ({lost or type(lost).__name__}); try again in a few seconds"
        raise MCPError(INTERNAL_ERROR, words) from group


def _first(group: BaseExceptionGroup[Any], kind: type[_E]) -> _E | None:
    """The first exception of a kind in a group, however deep."""
    for one in group.exceptions:
        found = _first(one, kind) if isinstance(one, BaseExceptionGroup) else one
        if isinstance(found, kind):
            return found
    return None
