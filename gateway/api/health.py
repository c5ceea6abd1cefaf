"""``/health``, ``/ready`` and ``/metrics``: for load balancers, systemd and Prometheus.

``/health`` answers 200 while the process is up. ``/ready`` checks each component, within two seconds: 200 when all
work, 503 when one does not. The body names each component and what to do.
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway import metrics
from gateway.api.metrics_collectors import Gauges
from gateway.core.context import Core
from gateway.store.queries.totals import database_answers
from gateway.version import installed_build

Lag = Callable[[], float | Awaitable[float]]
Watching = Callable[[], tuple[int, int]]
"""Returns how many inboxes are in IMAP IDLE, and how many wait for it."""

SYNC_LAG_LIMIT = 60.0
OUTBOX_AGE_LIMIT = 900.0
_PATIENCE = 2.0  # seconds for each check


def health_routes(core: Core, parts: Mapping[str, Lag], idle: Watching | None = None) -> list[Route]:
    """The routes. ``parts``: ``sync_lag`` and ``outbox_age``, in seconds. ``idle``: None if another process watches."""
    build = installed_build()
    metrics.build.info(
        {"version": build.version, "commit": build.commit, "python": platform.python_version()}
    )

    async def health(request: Request) -> Response:
        return _json({"status": "ok", "version": build.version, "commit": build.commit})

    async def ready(request: Request) -> Response:
        checked = {**await readiness(core, parts), **mailboxes(core, idle)}
        ok = all(part["ok"] for part in checked.values())
        return _json({"status": "ready" if ok else "degraded", "parts": checked}, 200 if ok else 503)

    gauges = Gauges(core)

    async def exposition(request: Request) -> Response:
        await gauges.refresh()
        for name, gauge in (("sync_lag", metrics.sync_lag), ("outbox_age", metrics.outbox_age)):
            if name in parts:
                gauge.set(await _seconds(parts[name]))
        if idle is not None:
            for state, count in zip(("watched", "waiting"), idle(), strict=True):
                metrics.idle_inboxes.labels(state).set(count)
        metrics.stuck_mailboxes.set(len(core.imap.stuck()))
        text = await asyncio.to_thread(
            lambda: generate_latest(metrics.REGISTRY) + generate_latest(gauges.registry)
        )
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return [
        Route("/health", health, methods=["GET"]),
        Route("/ready", ready, methods=["GET"]),
        Route("/metrics", exposition, methods=["GET"]),
    ]


async def readiness(core: Core, parts: Mapping[str, Lag]) -> dict[str, dict[str, Any]]:
    """Check each component: ``{"ok": bool, "detail": str}``, and ``seconds`` where a time is measured."""
    database, mail, disk = await asyncio.gather(_database(core), _mail_server(core), _disk(core))
    found: dict[str, dict[str, Any]] = {"database": database, "disk": disk, **mail}
    for name, limit, fix in (
        ("sync_lag", SYNC_LAG_LIMIT, "the log of postern.sync names the mailbox that fails"),
        ("outbox_age", OUTBOX_AGE_LIMIT, "the log of postern.outbox names the destination that defers"),
    ):
        if name in parts:
            seconds = await _seconds(parts[name])
            late = seconds > limit
            found[name] = {"ok": not late, "detail": fix if late else "", "seconds": round(seconds, 3)}
    return found


def mailboxes(core: Core, idle: Watching | None) -> dict[str, dict[str, Any]]:
    """The state of the mailboxes, in the form of ``readiness``. It is always ok, because a stuck mailbox does not stop
    the others. No address is named: anybody may ask."""
    stuck = len(core.imap.stuck())
    detail = f"{stuck} do not answer: `postern status` and the log name them" if stuck else ""
    found: dict[str, dict[str, Any]] = {"mailboxes": {"ok": True, "detail": detail, "stuck": stuck}}
    if idle is not None:
        watched, waiting = idle()
        detail = f"{waiting} wait for an IDLE connection: the log of postern.idle says why" if waiting else ""
        found["idle"] = {"ok": True, "detail": detail, "watched": watched, "waiting": waiting}
    return found


async def _database(core: Core) -> dict[str, Any]:
    try:
        async with asyncio.timeout(_PATIENCE):
            await core.store.read(database_answers)
    except Exception as error:
        return {"ok": False, "detail": f"{type(error).__name__}: {error}"}
    return {"ok": True, "detail": ""}


async def _disk(core: Core) -> dict[str, Any]:
    try:
        async with asyncio.timeout(_PATIENCE):
            rooms = await core.disks.rooms()
    except TimeoutError:
        return {"ok": False, "detail": "the file system does not answer"}
    short = [one.words() for one in rooms if one.short]
    free = min((one.free for one in rooms), default=0)
    return {
        "ok": not short,
        "detail": f"{'; '.join(short)}: free some space or use a bigger disk; no mail is accepted"
        if short
        else "",
        "free_bytes": free,
    }


async def _mail_server(core: Core) -> dict[str, dict[str, Any]]:
    try:
        async with asyncio.timeout(_PATIENCE + 0.5):
            health = await core.mail.health()
    except Exception as error:
        return {"mail_server": {"ok": False, "detail": f"{type(error).__name__}: {error}"}}
    return {f"mail_{name}": {"ok": part.ok, "detail": part.detail} for name, part in health.items()}


async def _seconds(lag: Lag) -> float:
    value = lag()
    return float(await value) if isinstance(value, Awaitable) else float(value)


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
