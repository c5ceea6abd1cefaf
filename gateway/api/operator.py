"""``/operator/…``: what commands on the gateway's own machine ask of the gateway that runs.

Only the operator's key opens it (``DATA/operator.json``, ``doors``); for every other key these paths do not exist.

``POST /operator/imap`` ``{"addresses": [...]}`` (absent: every inbox) answers how their mailboxes are opened.
``POST /operator/read`` ``{"addresses": [...]}`` answers when each was read as it stands now.
``POST /operator/erase`` erases, and answers one JSON object a line: ``{"progress": text}`` while it works, at last
``{"report": {...}}`` or ``{"error": {...}}`` (``transfer.erasing``).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from gateway.api.body import decode, encode, read_body
from gateway.api.errors import Kinds, core_error, kind_of
from gateway.core.context import Core
from gateway.core.errors import Conflict, CoreError, Invalid, Missing, NotFound
from gateway.records.inboxes import Inbox
from gateway.store.engine import StoreDown
from gateway.store.queries.inboxes import unscoped_running_inboxes
from gateway.transfer import erasing
from mailserver.base import MailServerError

Refresh = Callable[[str, float], Awaitable[None]]
"""Reads a mailbox now, within so many seconds. Raises TimeoutError."""

_REFUSED = (CoreError, StoreDown, MailServerError)
_KINDS: Kinds = [(NotFound, 404, ""), (Conflict, 409, ""), (Invalid, 400, "")]
_LINES = "application/x-ndjson"
_BODY = 4 * 1024 * 1024
_READ_SECONDS = 600.0


class Addresses(msgspec.Struct, forbid_unknown_fields=True):
    """Which inboxes are meant."""

    addresses: list[str] | None = None


class Erase(msgspec.Struct, forbid_unknown_fields=True):
    """Who or what is erased: one of ``person``, ``inbox``, or ``organization`` alone."""

    person: str | None = None
    inbox: str | None = None
    organization: str | None = None
    dry_run: bool = False
    mentions: bool = False
    scan_mail: bool = False


def operator_routes(core: Core, refresh: Refresh) -> list[BaseRoute]:
    """The routes; ``refresh`` is the sync's."""

    async def imap(request: Request) -> Response:
        wanted = decode(await _body(request), Addresses)
        found = {}
        for row in await _inboxes(core, wanted.addresses):
            login = core.mail.imap_login(row.address)
            end = login.endpoint
            found[row.address] = {
                "host": end.host,
                "port": end.port,
                "tls": end.tls,
                "user": login.user,
                "secret": login.secret,
            }
        return _answer(200, {"logins": found})

    async def read(request: Request) -> Response:
        wanted = decode(await _body(request), Addresses)
        rows = await _inboxes(core, wanted.addresses)
        await asyncio.gather(*(refresh(row.address, _READ_SECONDS) for row in rows))
        return _answer(200, {"inboxes": len(rows)})

    async def erase(request: Request) -> Response:
        wanted = decode(await _body(request), Erase)
        steps = _erasure(core, wanted)
        return StreamingResponse(_lines(steps), headers={"Cache-Control": "no-store"}, media_type=_LINES)

    return [
        Route("/operator/erase", _guarded(erase), methods=["POST"]),
        Route("/operator/imap", _guarded(imap), methods=["POST"]),
        Route("/operator/read", _guarded(read), methods=["POST"]),
    ]


def _erasure(core: Core, wanted: Erase) -> AsyncIterator[dict[str, Any]]:
    if wanted.person is not None:
        return erasing.erase_person(
            core,
            wanted.person,
            organization=wanted.organization,
            dry_run=wanted.dry_run,
            mentions=wanted.mentions,
            scan_mail=wanted.scan_mail,
        )
    if wanted.inbox is not None:
        return erasing.erase_inbox(core, wanted.inbox, dry_run=wanted.dry_run)
    if wanted.organization is not None:
        return erasing.erase_organization(core, wanted.organization, dry_run=wanted.dry_run)
    raise Missing("person")


async def _lines(steps: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    try:
        async for one in steps:
            yield encode(one) + b"\n"
    except _REFUSED as error:
        status, body = _refusal(error)
        yield encode({"error": {"status": status, **body}}) + b"\n"


async def _body(request: Request) -> bytes:
    return await read_body(request, _BODY)


async def _inboxes(core: Core, addresses: list[str] | None) -> list[Inbox]:
    rows = await core.store.read(unscoped_running_inboxes)
    if addresses is None:
        return rows
    wanted = {one.strip().lower() for one in addresses}
    missing = wanted - {row.address for row in rows}
    if missing:
        raise NotFound(
            f"there is no inbox {', '.join(sorted(missing)[:5])}", fix="`postern inbox create` makes one"
        )
    return [row for row in rows if row.address in wanted]


def _guarded(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def run(request: Request) -> Response:
        try:
            return await handler(request)
        except TimeoutError:
            return _answer(503, {"code": "unavailable", "message": "a mailbox was not read in time"})
        except _REFUSED as error:
            return _answer(*_refusal(error))

    return run


def _refusal(error: Exception) -> tuple[int, dict[str, Any]]:
    refused = core_error(error)
    status, _ = kind_of(refused, _KINDS, (503, ""))
    return status, {"code": refused.code, "message": refused.message, "fix": refused.fix}


def _answer(status: int, body: dict[str, Any]) -> Response:
    return Response(encode(body), status, {"Cache-Control": "no-store"}, "application/json")
