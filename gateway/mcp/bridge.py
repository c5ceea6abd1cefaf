"""MCP over standard input and output, for clients that start a program: forwards each call to a gateway's ``/mcp``.

Tools, descriptions and results are the gateway's. Each side negotiates its own protocol version. Progress and
cancellation are forwarded.
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
"""Seconds to wait for an answer: longer than the longest wait for mail."""


class NoGateway(Exception):
    """The gateway cannot be reached or refuses the key; the text says which."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway: its base URL, the key, the default inbox, and its Unix socket if it listens on one."""

    base_url: str
    key: str
    inbox: str | None = None
    unix_socket: str | None = None


async def bridge(gateway: Gateway) -> None:
    """Serve standard input and output until the input ends. Raises NoGateway when the start fails."""
    headers = {"Authorization": f"Bearer {gateway.key}", "User-Agent": f"postern-mcp/{__version__}"}
    if gateway.inbox:
        headers["X-Postern-Inbox"] = gateway.inbox
    socket = httpx2.AsyncHTTPTransport(uds=gateway.unix_socket) if gateway.unix_socket else None
    timeout = httpx2.Timeout(30, read=_LONGEST)
    url = f"{gateway.base_url.rstrip('/')}/mcp"
    async with httpx2.AsyncClient(headers=headers, timeout=timeout, transport=socket) as http:
        await _check(http, url)
        async with _remote(http, url) as remote:
            instructions = remote.instructions
        server = _server(http, url, instructions)
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())


def _remote(http: httpx2.AsyncClient, url: str) -> Client:
    """A client for one call, so that a failure (a gateway that restarts) affects no other call."""
    return Client(streamable_http_client(url, http_client=http), cache=None)


async def _check(http: httpx2.AsyncClient, url: str) -> None:
    """Raise NoGateway when the gateway does not answer or refuses the key."""
    try:
        # with a valid key GET answers 405
        answer = await http.get(url)
    except httpx2.HTTPError as error:
        raise NoGateway(f"no gateway answers at {url}: {error or type(error).__name__}") from error
    if answer.status_code == 405:
        return
    try:
        reason = answer.json()["error"]["message"]
    except (ValueError, LookupError, TypeError):
        reason = f"it answers {answer.status_code}, which Postern with MCP does not"
    raise NoGateway(f"the gateway at {url} refused: {reason}")


def _server(http: httpx2.AsyncClient, url: str, instructions: str | None) -> Server[Any]:
    async def on_list_tools(
        ctx: ServerRequestContext[Any], params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        with _reported():
            async with _remote(http, url) as remote:
                return await remote.list_tools()

    async def on_call_tool(ctx: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        with _reported():
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
def _reported() -> Iterator[None]:
    """Turn failures of the connection to the gateway into protocol errors."""
    try:
        yield
    except ExceptionGroup as group:  # of the client's tasks
        refused = _first(group, MCPError)
        if refused is not None:
            raise refused from group
        lost = _first(group, httpx2.HTTPError)
        if lost is None:
            raise
        reason = (
            f"the gateway does not answer now ({lost or type(lost).__name__}); try again in a few seconds"
        )
        raise MCPError(INTERNAL_ERROR, reason) from group


def _first(group: BaseExceptionGroup[Any], kind: type[_E]) -> _E | None:
    """The first exception of a kind in a group or its nested groups."""
    for error in group.exceptions:
        found = _first(error, kind) if isinstance(error, BaseExceptionGroup) else error
        if isinstance(found, kind):
            return found
    return None
