"""MCP clients of a running gateway, as agents have them: the official package over HTTP, or through ``postern mcp``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import anyio
import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from tests.support.gateway_process import Organization

ROOT = Path(__file__).resolve().parents[2]
Transport = Literal["http", "stdio"]
Era = Literal["legacy", "auto"]


@asynccontextmanager
async def over_http(
    base_url: str, key: str, *, mode: Era = "auto", inbox: str | None = None, key_header: str = ""
) -> AsyncIterator[Client]:
    """A client of ``/mcp``. ``mode`` legacy: as clients of 2025 speak, with the initialize handshake.

    ``key_header``: the header of the bare key, instead of Authorization.
    """
    credentials = {key_header: key} if key_header else {"Authorization": f"Bearer {key}"}
    headers = {**credentials, **({"X-Postern-Inbox": inbox} if inbox else {})}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http,
        Client(streamable_http_client(f"{base_url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


@asynccontextmanager
async def over_stdio(
    base_url: str, key: str, *, mode: Era = "auto", inbox: str | None = None
) -> AsyncIterator[Client]:
    """A client of ``postern mcp``, configured by environment as seed 003's client is."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTERN_")}
    given = {"MAILBOXKIT_BASE_URL": f"{base_url}/api/v1", "MAILBOXKIT_API_KEY": key}
    if inbox:
        given["MAILBOXKIT_INBOX_ID"] = inbox
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "gateway.cli.main", "mcp"],
        env={**kept, **given},
        cwd=ROOT,
    )
    async with Client(command, mode=mode) as client:
        yield client


TRANSPORTS = {"http": over_http, "stdio": over_stdio}


async def done(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The structured result of a call that must be done. ``from_`` stands for ``from``."""
    result = await client.call_tool(tool, {name.rstrip("_"): value for name, value in arguments.items()})
    assert not result.is_error, text_of(result)
    assert text_of(result)
    data: dict[str, Any] = result.structured_content
    return data


async def refused(client: Client, tool: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    """(text, error) of a call that must be refused."""
    result = await client.call_tool(tool, {name.rstrip("_"): value for name, value in arguments.items()})
    assert result.is_error, text_of(result)
    assert "Traceback" not in text_of(result)
    return text_of(result), result.structured_content["error"]


def text_of(result: Any) -> str:
    """What a model reads."""
    (block,) = result.content
    return str(block.text)


async def eventually(probe: Callable[[], Awaitable[Any]], why: str, timeout: float = 30.0) -> Any:
    """The first true answer of ``probe``."""
    end = time.monotonic() + timeout
    while True:
        found = await probe()
        if found:
            return found
        assert time.monotonic() < end, why
        await anyio.sleep(0.05)


async def arrived(client: Client, inbox: str, subject: str) -> dict[str, Any]:
    """The message with this subject, once it is in the inbox."""

    async def look() -> dict[str, Any] | None:
        found = await done(client, "check_inbox", inbox_id=inbox, limit=50)
        return next((one for one in found["messages"] if one["untrusted"]["subject"] == subject), None)

    message: dict[str, Any] = await eventually(look, f"{subject!r} did not arrive")
    return message


def inbox_key(organization: Organization, inbox: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A key that reaches one inbox only."""
    made: dict[str, Any] = organization.call(
        "POST", f"inboxes/{inbox['inbox_id']}/api-keys", json={"name": "scoped", **fields}
    )
    return made
