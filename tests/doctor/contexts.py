"""Scenes for single checks: settings, a migrated database, a name server of the test's own."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.configuration import load_settings
from gateway.core.domains.domains import new_domain
from gateway.doctor.context import Door, Scene
from gateway.doctor.finding import Finding
from gateway.doctor.open_context import arrived
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.queries.domains import add_domain_once
from mailserver.listening import ListeningSocket, listen, listen_at
from tests.support.databases import database_url
from tests.support.servers import NameServer

Zones = dict[tuple[str, str], list[str] | None]
NOWHERE = "127.0.0.1:9"


@asynccontextmanager
async def scene(
    folder: Path,
    *,
    zones: Zones | None = None,
    door: Door | None = None,
    database: bool = True,
    **settings: Any,
) -> AsyncIterator[Scene]:
    """A scene in the production profile on ``folder``; ``settings``: dotted names with __ for the dot."""
    async with NameServer(zones if zones is not None else {}) as dns:
        wanted = {
            "data_dir": str(folder),
            "mail.domain": "shop.test",
            "mail.hostname": "mail.shop.test",
            "mail.public_ipv4": "192.0.2.10",
            "mail.public_ipv6": "2001:db8::10",
            "dns.nameservers": ["127.0.0.1"],
            "dns.port": dns.port,
            "dns.timeout": 5.0,
            "doctor.ntp_server": "",
            **({"database.url": database_url(folder / "postern.db")} if database else {}),
            **{name.replace("__", "."): value for name, value in settings.items()},
        }
        chosen, _ = load_settings(overrides=wanted, environ={})
        if database:
            store = Store(chosen.database.url)
            migrate(store)
            store.start()
            domain = await new_domain(chosen, "shop.test", None)
            await store.write(lambda tx: add_domain_once(tx, domain))
            store.close()
        async with arrived(chosen, folder, None, door) as made:
            if made.store is not None:
                made.store.start()  # the doctor only looks; tests change what it finds
            yield made


@asynccontextmanager
async def says(
    line: bytes, context: ssl.SSLContext | None = None, *, path: Path | None = None
) -> AsyncIterator[int]:
    """A server that greets with a line and hangs up; yields its port (0 for a Unix socket at ``path``)."""

    class Greeting(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            transport.write(line)
            transport.close()

    if path is not None:
        there = ListeningSocket(socket.AF_UNIX)
        there.bind(str(path))
        listening = await listen_at([there], Greeting)
    else:
        listening = await listen(Greeting, "127.0.0.1", 0, tls=context)
    try:
        yield listening.port
    finally:
        await listening.close()


async def told(check: Callable[[Scene], Awaitable[Sequence[Finding]]], of: Scene) -> list[tuple[str, str]]:
    """(level, subject) of each finding; every one that is not ok has a fix, and no ok one has."""
    findings = await check(of)
    assert all(bool(one.fix) == (one.level != "ok") for one in findings), findings
    return [(one.level, one.subject) for one in findings]
