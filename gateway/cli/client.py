"""The HTTP side of the command line: one call, its answer, and API errors as plain words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any
from urllib.parse import quote

import aiohttp

from gateway.cli.failure import FAILED, REFUSED, UNAVAILABLE, Failure

PREFIX = "/api/v0"
_OTHERS = ("/v1/", "/api/v1/", "/operator/", "/health", "/ready")
_PAGE = 100


class Client:
    """Calls to one gateway with one key. Use as an async context manager.

    A path below ``/v1/`` or ``/api/v1/`` is that dialect's, one below ``/operator/`` the operator's door, ``/health``
    and ``/ready`` are the gateway's; every other is below ``/api/v0``.
    """

    def __init__(self, base_url: str, key: str, *, unix_socket: str | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}", "User-Agent": "postern-cli"}
        self._unix_socket = unix_socket
        self.session: aiohttp.ClientSession

    async def __aenter__(self) -> Client:
        connector = aiohttp.UnixConnector(self._unix_socket) if self._unix_socket else None
        self.session = aiohttp.ClientSession(
            headers=self._headers, connector=connector, timeout=aiohttp.ClientTimeout(total=120, connect=10)
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.session.close()

    def url(self, path: str) -> str:
        return f"{self.base_url}{'' if path.startswith(_OTHERS) else PREFIX}{path}"

    async def call(
        self, method: str, path: str, body: Any = None, query: dict[str, str] | None = None
    ) -> Any:
        """One request; answers the decoded JSON (None for an empty answer). Raises Failure."""
        try:
            async with self.session.request(method, self.url(path), json=body, params=query) as response:
                raw = await response.read()
                status, kind = response.status, response.content_type
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise unreachable(self.base_url, error) from error
        answer = await asyncio.to_thread(_decode, raw) if kind.endswith("json") else None
        if status >= 400:
            raise refused(status, answer)
        if raw and answer is None:
            raise Failure(
                f"{self.base_url} does not answer as a Postern does", UNAVAILABLE, fix="check --url"
            )
        return answer

    async def ready(self) -> dict[str, Any]:
        """What ``/ready`` says of each part, be it well or not. Raises Failure when nothing answers."""
        try:
            async with self.session.get(self.url("/ready")) as response:
                answer = await asyncio.to_thread(_decode, await response.read())
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise unreachable(self.base_url, error) from error
        if not isinstance(answer, dict) or "parts" not in answer:
            raise Failure(
                f"{self.base_url} does not answer as a Postern does", UNAVAILABLE, fix="check --url"
            )
        return answer

    async def octets(self, path: str) -> bytes:
        """GET a file. Raises Failure."""
        try:
            async with self.session.get(self.url(path)) as response:
                raw = await response.read()
                if response.status >= 400:
                    raise refused(response.status, await asyncio.to_thread(_decode, raw))
                return raw
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise unreachable(self.base_url, error) from error

    async def lines(self, path: str, body: Any) -> AsyncIterator[Any]:
        """POST, and each line of the answer as it comes, decoded. Raises Failure; it may take its time."""
        patient = aiohttp.ClientTimeout(total=None, connect=10)
        try:
            async with self.session.post(self.url(path), json=body, timeout=patient) as response:
                if response.status >= 400:
                    raise refused(response.status, await asyncio.to_thread(_decode, await response.read()))
                async for line in response.content:
                    yield await asyncio.to_thread(_decode, line)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise unreachable(self.base_url, error) from error

    async def rows(
        self, path: str, limit: int | None = None, query: dict[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """Every row of a list, page after page; at most ``limit``."""
        found: list[dict[str, Any]] = []
        where: dict[str, str] = {}
        while True:
            page = await self.call("GET", path, query={**(query or {}), "limit": str(_PAGE), **where})
            found += page["data"]
            if path.startswith("/v1/"):
                where = {"offset": str(len(found))} if page["data"] and len(found) < page["total"] else {}
            else:
                where = {"page_token": page["next_page_token"]} if page.get("next_page_token") else {}
            if not where or (limit is not None and len(found) >= limit):
                return found[:limit]


def segment(value: str) -> str:
    """A value as one segment of a path."""
    return quote(value, safe="")


def _decode(raw: bytes) -> Any:
    import json

    try:
        return json.loads(raw)
    except ValueError:
        return None


def unreachable(base_url: str, error: BaseException) -> Failure:
    """Nothing answers at ``base_url``."""
    words = str(error) or type(error).__name__
    return Failure(
        f"no gateway answers at {base_url}: {words}", UNAVAILABLE, fix="is it running? check --url"
    )


def refused(status: int, answer: Any) -> Failure:
    """An error answer of the API as words; the exit code follows the status."""
    body = answer if isinstance(answer, dict) else {}
    message = str(body.get("message") or f"the gateway answered {status}")
    errors = body.get("errors") or []  # MailboxKit's go by field
    fields = errors if isinstance(errors, dict) else [one.get("field") for one in errors]
    field = next((one for one in fields if one), body.get("field"))
    if field and str(field) not in message:
        message = f"{field}: {message}"
    code = REFUSED if status in (401, 403, 404) else UNAVAILABLE if status in (502, 503, 504) else FAILED
    if status == 403 and body.get("code") in ("resource_taken", "limit_exceeded", "message_rejected"):
        code = FAILED
    return Failure(message, code, fix=body.get("fix"))
