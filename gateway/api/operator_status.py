"""``GET /operator/status``: the figures of ``postern status``.

Only the operator's key may use it (``route_access``); for other keys the path does not exist.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api.body import encode
from gateway.api.times import iso, iso_of
from gateway.core.accounts.status import Figures, figures
from gateway.core.context import Core
from mailserver.base import MailServerError
from mailserver.postfix_dovecot import PostfixServer


def status_routes(core: Core) -> list[Route]:
    """The route. The uptime is counted from this call."""
    begun = time.monotonic()

    async def status(request: Request) -> Response:
        found = status_view(await figures(core.settings, core.data_dir, core.store))
        found["postfix_queue"] = await _postfix(core)
        found["stuck_mailboxes"] = [
            {"address": address, "seconds": round(seconds)}
            for address, seconds in sorted(core.imap.stuck().items(), key=lambda one: -one[1])
        ]
        return _answer(200, {"uptime_seconds": round(time.monotonic() - begun), **found})

    return [Route("/operator/status", status, methods=["GET"])]


def status_view(found: Figures) -> dict[str, Any]:
    """The figures as JSON: ``queue``, ``paused``, ``mail``, ``webhooks``, ``database``, ``disks``, ``certificate``."""
    mail, queue, certificate, paused = found.mail, found.queue, found.certificate, found.paused
    return {
        "queue": None
        if queue is None
        else {"waiting": queue.count, "oldest_seconds": _rounded(queue.oldest)},
        "paused": None
        if paused is None
        else {
            "server": bool(paused.by_level.get("server")),
            "organizations": paused.by_level.get("organization", 0),
            "pods": paused.by_level.get("pod", 0),
            "inboxes": paused.by_level.get("inbox", 0),
            "waiting": paused.waiting,
        },
        "mail": None
        if mail is None
        else {
            "organizations": mail.organizations,
            "inboxes": mail.inboxes,
            "messages": mail.messages,
            "last_received_at": iso(mail.last_received),
            "last_sent_at": iso(mail.last_sent),
        },
        "webhooks": None if found.webhooks is None else {"waiting": found.webhooks},
        "database": {
            "kind": found.database.kind,
            "size": found.database.size,
            "error": found.database.error,
        },
        "disks": [{"path": one.path, "free": one.free, "total": one.total} for one in found.disks],
        "certificate": None
        if certificate is None
        else {
            "file": certificate.file,
            "name": certificate.name,
            "expires_at": None
            if certificate.expires is None
            else iso_of(int(certificate.expires.timestamp() * 1_000_000)),
            "days_left": None
            if certificate.expires is None
            else int((certificate.expires - datetime.now(UTC)).total_seconds() // 86_400),
            "error": certificate.error,
        },
    }


async def _postfix(core: Core) -> dict[str, Any] | None:
    if not isinstance(core.mail, PostfixServer):
        return None
    try:
        state = await core.mail.queue()
    except MailServerError as error:
        return {"waiting": None, "oldest_seconds": None, "error": str(error)}
    oldest = state.oldest_seconds if state.count else None
    return {"waiting": state.count, "oldest_seconds": _rounded(oldest), "error": None}


def _rounded(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)


def _answer(status: int, body: dict[str, Any]) -> Response:
    return Response(encode(body), status, {"Cache-Control": "no-store"}, "application/json")
