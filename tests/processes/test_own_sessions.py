"""Before the mail server ends sessions of a mailbox, every process of the gateway closes its own of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from imapclient import IMAPClient

from gateway.settings import Settings
from gateway.settings import Sync as SyncSettings
from gateway.store.engine import Store
from gateway.store.leases import LocalLeases
from gateway.store.wakeups import PostgresWakeups
from gateway.sync.idle import IdleWatch
from gateway.sync.own_sessions import OwnSessions
from mailserver.imap import ImapPool
from tests.processes.test_wakeups import process
from tests.support.postgres_server import PostgresCluster
from tests.support.servers import embedded_server

pytestmark = pytest.mark.anyio


class _OneOther(LocalLeases):
    def others(self, role: str) -> int:
        return 1


async def test_another_process_leaves_a_mailbox_whose_sessions_end(
    tmp_path: Path, postgres: PostgresCluster, store: Store
) -> None:
    url = postgres.new_database()
    settings = msgspec.structs.replace(Settings(), sync=SyncSettings(idle_connections=10))
    async with (
        embedded_server(tmp_path) as server,
        process(url) as one,
        process(url) as two,
    ):
        await server.add_domain("x.test")
        for name in ("changed", "other"):
            await server.add_mailbox(f"{name}@x.test", "secret")
        watch = IdleWatch(store, server.imap_login, lambda hint: None, settings)
        await watch.start()

        def sessions(wakeups: PostgresWakeups) -> OwnSessions:
            return OwnSessions(ImapPool(server.imap_login), watch, _OneOther(), wakeups)

        ours, theirs = sessions(one), sessions(two)
        server.sessions_closed = ours.closed
        await theirs._imap.run("changed@x.test", lambda client: client.noop())
        end = server.access().imap
        with IMAPClient(end.host, end.port, ssl=False) as person:
            await asyncio.to_thread(person.login, "other@x.test", "secret")
            await server.set_password("changed@x.test", "another")
            kept = theirs._imap._sessions["changed@x.test"].client
            assert kept is None
            assert await asyncio.to_thread(person.noop), "nobody's process was ended for it"
        # and it comes back when they are done
        assert await theirs._imap.run("changed@x.test", lambda client: client.noop())
        await watch.stop()
        for each in (ours, theirs):
            await each._imap.close()
