"""The roles of a gateway process: all of them, or some, beside processes that have the others.

Several processes need one PostgreSQL database and the same secret and server key: those on one machine share the data
directory, another machine gets copies of ``secret`` and ``server.key``. Each process listens for HTTP and serves health
and metrics; only the role ``api`` serves the API.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Literal, get_args

from gateway.configuration import BadSettings
from gateway.datadir import DataDirInUse
from gateway.settings import Settings
from gateway.store.engine import Store
from gateway.store.leases import TTL, Leases, LocalLeases, PostgresLeases, living_processes
from gateway.store.postgres import is_postgres
from gateway.store.wakeups import LocalWakeups, PostgresWakeups, Wakeups

Role = Literal["api", "sync", "outbox", "events", "mail"]
"""``api`` answers requests and sockets, ``sync`` reads mailboxes, ``outbox`` sends (and drafts that are due),
``events`` calls webhooks (and watches reputations and domains), ``mail`` runs the mail server, or takes the
notifications of one that runs."""

ROLES: frozenset[Role] = frozenset(get_args(Role))


def roles_of(text: str) -> frozenset[Role]:
    """The roles in a text such as ``api,sync``; ``all`` or an empty text is every role. Raises BadSettings."""
    wanted = {one.strip() for one in text.split(",") if one.strip()}
    if not wanted or wanted == {"all"}:
        return ROLES
    if unknown := sorted(wanted - ROLES):
        raise BadSettings(
            f"there is no role {unknown[0]!r}; roles are api, sync, outbox, events and mail, joined by commas"
        )
    return frozenset(one for one in get_args(Role) if one in wanted)


def check_roles(settings: Settings, roles: frozenset[Role]) -> None:
    """Refuse a part of the roles where no other process can have the rest: without PostgreSQL. Raises BadSettings."""
    if roles != ROLES and not is_postgres(settings.database.url):
        missing = ", ".join(sorted(ROLES - roles))
        raise BadSettings(
            f"without {missing} the gateway needs another process beside it, and several processes need PostgreSQL: "
            "set database.url to postgresql://…, or leave --roles out"
        )


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """What this process shares with the other processes on the database."""

    roles: frozenset[Role]
    wakeups: Wakeups
    leases: Leases
    first: bool = True
    """Whether no other runs: then what is on the mail server beyond the records was left by a crash."""

    async def take_part(self) -> None:
        """Lease this process's part of the work; call it when the engines have started."""
        if isinstance(self.leases, PostgresLeases):
            await self.leases.take_part()


@asynccontextmanager
async def join_group(store: Store, roles: frozenset[Role] | None) -> AsyncIterator[ProcessGroup]:
    """Join the other processes on the database; ``roles`` None: a command, which is alone.

    Raises StoreDown.
    """
    if roles is None and store.postgres and (others := await store.read(living_processes)):
        where = ", ".join(f"process {process.pid} on {process.host}" for process in others)
        raise DataDirInUse(
            f"the gateway runs on this database ({where}); stop it first. One that was killed counts for {TTL:g} s"
        )
    if roles is None or not store.postgres:
        yield ProcessGroup(roles or ROLES, LocalWakeups(), LocalLeases())
        return
    async with AsyncExitStack() as stack:
        wakeups = PostgresWakeups(store.url)
        leases = PostgresLeases(store, wakeups, roles)
        await wakeups.start()
        stack.push_async_callback(wakeups.stop)
        stack.push_async_callback(leases.stop)
        await leases.start()
        yield ProcessGroup(roles, wakeups, leases, leases.first)
