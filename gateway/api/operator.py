"""``/operator/…``: the routes that `postern` commands use on a running gateway.

Only the operator's key may use them (``DATA/operator.json``, ``route_access``); other keys get 404.

``POST /operator/imap`` ``{"addresses": [...]}`` (absent: every inbox) answers the IMAP logins of the mailboxes.
``POST /operator/read`` ``{"addresses": [...]}`` synchronises the mailboxes and answers when that is done.
``POST /operator/erase`` erases data and answers JSON lines: ``{"progress": text}`` while it works, at the end
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
from gateway.store.acting import Actor, acting
from gateway.store.engine import StoreDown
from gateway.store.queries.audit import note_action
from gateway.store.queries.inboxes import unscoped_running_inboxes
from gateway.transfer import erasing
from mailserver.base import MailServerError

Refresh = Callable[[str, float], Awaitable[None]]
"""Synchronises a mailbox (address) now, within a number of seconds. Raises TimeoutError."""

_REFUSED = (CoreError, StoreDown, MailServerError)
_KINDS: Kinds = [(NotFound, 404, ""), (Conflict, 409, ""), (Invalid, 400, "")]
_LINES = "application/x-ndjson"
_BODY = 4 * 1024 * 1024
_READ_SECONDS = 600.0


class Addresses(msgspec.Struct, forbid_unknown_fields=True):
    """The inboxes to act on; null: all."""

    addresses: list[str] | None = None


class Erase(msgspec.Struct, forbid_unknown_fields=True):
    """What to erase: a ``person``, an ``inbox``, or an ``organization`` alone."""

    person: str | None = None
    inbox: str | None = None
    organization: str | None = None
    dry_run: bool = False
    mentions: bool = False
    scan_mail: bool = False


def operator_routes(core: Core, refresh: Refresh) -> list[BaseRoute]:
    """The routes. ``refresh``: of the sync engine."""

    async def imap(request: Request) -> Response:
        wanted = decode(await _body(request), Addresses)
        await _log(core, request, "mailboxes", "all" if wanted.addresses is None else "some", "logins_read")
        logins = {}
        for inbox in await _inboxes(core, wanted.addresses):
            login = core.mail.imap_login(inbox.address)
            endpoint = login.endpoint
            logins[inbox.address] = {
                "host": endpoint.host,
                "port": endpoint.port,
                "tls": endpoint.tls,
                "user": login.user,
                "secret": login.secret,
            }
        return _answer(200, {"logins": logins})

    async def read(request: Request) -> Response:
        wanted = decode(await _body(request), Addresses)
        inboxes = await _inboxes(core, wanted.addresses)
        await asyncio.gather(*(refresh(inbox.address, _READ_SECONDS) for inbox in inboxes))
        return _answer(200, {"inboxes": len(inboxes)})

    async def erase(request: Request) -> Response:
        wanted = decode(await _body(request), Erase)
        steps = _erasure(core, wanted)
        if not wanted.dry_run:
            what = "person" if wanted.person else "inbox" if wanted.inbox else "organization"
            await _log(core, request, what, "erased", "erased")
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


async def _log(core: Core, request: Request, object_type: str, object_id: str, action: str) -> None:
    """Log what the operator does with mail. What is erased is not named: the log outlives it."""
    ip = request.client.host if request.client else None
    with acting(Actor("operator", "operator", request.url.path.rpartition("/")[2], ip=ip)):
        await core.store.write(lambda tx: note_action(tx, object_type, object_id, action))


async def _lines(steps: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    try:
        async for step in steps:
            yield encode(step) + b"\n"
    except _REFUSED as error:
        status, body = _refusal(error)
        yield encode({"error": {"status": status, **body}}) + b"\n"


async def _body(request: Request) -> bytes:
    return await read_body(request, _BODY)


async def _inboxes(core: Core, addresses: list[str] | None) -> list[Inbox]:
    inboxes = await core.store.read(unscoped_running_inboxes)
    if addresses is None:
        return inboxes
    wanted = {address.strip().lower() for address in addresses}
    missing = wanted - {inbox.address for inbox in inboxes}
    if missing:
        raise NotFound(
            f"there is no inbox {', '.join(sorted(missing)[:5])}", fix="`postern inbox create` makes one"
        )
    return [inbox for inbox in inboxes if inbox.address in wanted]


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
