"""Who does what, where several gateway processes share a database: work that only one may do at a time is leased.

A *duty* is a kind of work, cut into a fixed number of shares (``DUTIES``): the mailboxes that are followed and the
lanes of webhooks into many, by the hash of their name, so that processes can split them; what needs no splitting has
one. A share is a row with a holder and an expiry. Each process says every second that it lives, which renews all it
holds in one statement, whatever the number of mailboxes; it takes shares that are free, or whose holder is silent for
``TTL`` seconds, up to its even part of them, and gives back what it has too many of once nothing of it is under way.

``token`` grows with each change of holder. A transaction that must not be written by a process that was taken for
dead calls ``fence``: it fails unless the share is still held with the same token, and holds up a take-over until it
is committed. All times are the database server's; a process trusts its shares only ``TTL`` seconds by its own clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from gateway.records.ids import new_ulid
from gateway.store.engine import Store, StoreDown
from gateway.store.sql import Row, sql
from gateway.store.transaction import Tx
from gateway.store.wakeups import Wakeups
from mailserver.process import exists

log = logging.getLogger("postern.leases")

T = TypeVar("T")
Duty = Literal["mailboxes", "lanes", "drafts", "reputation", "domains", "sweep", "repair"]

DUTIES: Mapping[Duty, tuple[str, int]] = {
    "mailboxes": ("sync", 64),
    "lanes": ("events", 64),
    "drafts": ("outbox", 1),
    "sweep": ("outbox", 1),
    "reputation": ("events", 1),
    "domains": ("events", 1),
    "repair": ("sync", 1),
}
"""The role whose processes do it, and its shares. Both are part of the schema: all processes must agree."""

TTL = 5.0
BEAT = 1.0
_NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

_LIVES = f"expires_at > {_NOW} AND expires_at < {_NOW} + {int(4 * TTL * 1_000_000)}"
"""Of a row of ``process`` or ``lease``: not expired. What would expire later than any beat can say was written before
the database server's clock was set back."""

Share = tuple[Duty, int]


class LeaseLost(Exception):
    """Another process has taken this work over; nothing was written."""


def share_of(duty: Duty, name: str) -> Share:
    """The share of a duty that a name falls into."""
    return duty, zlib.crc32(name.encode()) % DUTIES[duty][1]


class Leases(Protocol):
    """What this process may do. Used on the event loop, but for ``fence``."""

    alone: bool
    """Whether no other process can be there: everything is held, always."""

    process: str
    """This process's id."""

    def holds(self, share: Share) -> bool:
        """Whether it is this process's, for now."""

    def fence(self, tx: Tx, share: Share) -> None:
        """Have the transaction written only if the share is held still. Raises LeaseLost."""

    def others(self, role: str) -> int:
        """How many other processes have a role."""

    def on_gain(self, call: Callable[[Collection[Share]], None]) -> None:
        """Have ``call`` called with shares that were just taken."""

    def while_busy(self, call: Callable[[Share], bool]) -> None:
        """Ask ``call`` whether work on a share is under way, before it is given to another process."""


class LocalLeases:
    """The only process there is."""

    alone = True
    process = ""

    def holds(self, share: Share) -> bool:
        return True

    def fence(self, tx: Tx, share: Share) -> None: ...

    def others(self, role: str) -> int:
        return 0

    def on_gain(self, call: Callable[[Collection[Share]], None]) -> None: ...

    def while_busy(self, call: Callable[[Share], bool]) -> None: ...


@dataclass(frozen=True, slots=True)
class _Beat:
    """What the database said at a beat: our shares with their tokens, and who lives."""

    shares: dict[Share, int]
    living: dict[str, frozenset[str]] = field(default_factory=dict)


class PostgresLeases:
    """Shares by rows of table ``lease``."""

    alone = False

    def __init__(self, store: Store, wakeups: Wakeups, roles: Collection[str]) -> None:
        self.process = new_ulid()
        self._place = _here()
        self._store, self._wakeups, self._roles = store, wakeups, frozenset(roles)
        self._duties: list[Duty] = []
        self._ready = False
        self.first = False
        self._held: dict[Share, int] = {}
        self._leaving: set[Share] = set()
        self._living: dict[str, frozenset[str]] = {}
        self._until = 0.0
        self._soon = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._gained: list[Callable[[Collection[Share]], None]] = []
        self._busy: list[Callable[[Share], bool]] = []
        self._task: asyncio.Task[None] | None = None
        wakeups.subscribe("leases", lambda text: self._soon.set())

    async def start(self) -> None:
        """Make this process known, as one that does nothing yet; ``first`` is whether no other is. Raises StoreDown."""
        await self._write(_prepare)
        await self._beat()
        self.first = not self._living.keys() - {self.process}
        self._task = asyncio.create_task(self._run(), name="leases")

    async def take_part(self) -> None:
        """Have this process's roles counted, and take its part of the work. Raises StoreDown."""
        self._duties = [duty for duty, (role, _) in DUTIES.items() if role in self._roles]
        self._ready = True
        await self._beat()
        self._wakeups.notify("leases")

    async def stop(self) -> None:
        """Give everything back, for others to take at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._held.clear()
        with contextlib.suppress(StoreDown):
            await self._write(self._sign_off)
            self._wakeups.notify("leases")

    def holds(self, share: Share) -> bool:
        return share in self._held and share not in self._leaving and time.monotonic() < self._until

    def fence(self, tx: Tx, share: Share) -> None:
        token = self._held.get(share)
        held = sql(tx).value(
            "SELECT 1 FROM lease WHERE name = ? AND holder = ? AND token = ? FOR SHARE",
            _name(share),
            self.process,
            token,
        )
        if held is None:
            raise LeaseLost(f"{_name(share)} is another process's now")

    def others(self, role: str) -> int:
        return sum(role in roles for id, roles in self._living.items() if id != self.process)

    def on_gain(self, call: Callable[[Collection[Share]], None]) -> None:
        self._gained.append(call)

    def while_busy(self, call: Callable[[Share], bool]) -> None:
        self._busy.append(call)

    async def _write(self, work: Callable[[Tx], T]) -> T:
        """Beside the queue of other writes: however long it is, this process lives."""
        return await asyncio.to_thread(self._store.write_now, work)

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT):
                    await self._soon.wait()
            self._soon.clear()
            try:
                await self._beat()
            except StoreDown as error:
                log.warning("leases wait for the database, and work with them: %s", error)
            except Exception:
                log.exception("leases could not be renewed; it is tried again")

    async def _beat(self) -> None:
        async with self._one_at_a_time:
            await self._beat_now()

    async def _beat_now(self) -> None:
        begun = time.monotonic()
        free = [one for one in self._leaving if not any(busy(one) for busy in self._busy)]
        beat = await self._write(lambda tx: self._renew(tx, free))
        self._until = begun + TTL
        self._leaving.difference_update(free)
        lost = self._held.keys() - beat.shares.keys() - set(free)
        if lost:
            log.warning("%d shares of work were taken over by another process", len(lost))
        gained = [one for one, token in beat.shares.items() if self._held.get(one) != token]
        self._held, self._living = beat.shares, beat.living
        self._leaving &= self._held.keys()
        if free:
            self._wakeups.notify("leases")
        for duty in self._duties:
            mine = sorted(one for one in self._held if one[0] == duty and one not in self._leaving)
            self._leaving.update(mine[self._part(duty, beat.living) :])
        if gained:
            log.info("took %d shares of work", len(gained))
            for call in self._gained:
                call(gained)

    def _part(self, duty: Duty, living: Mapping[str, frozenset[str]]) -> int:
        """How many shares of a duty are this process's even part, rounded up."""
        role, shares = DUTIES[duty]
        return -(-shares // max(1, sum(role in roles for roles in living.values())))

    def _renew(self, tx: Tx, free: Collection[Share]) -> _Beat:
        ttl = int(TTL * 1_000_000)
        tx.lock("processes")
        sql(tx).run(
            "INSERT INTO process (id, roles, host, pid, place, started_at, expires_at) "  # noqa: S608
            f"VALUES (?, ?, ?, ?, ?, {_NOW}, {_NOW} + ?) "
            "ON CONFLICT (id) DO UPDATE SET roles = excluded.roles, expires_at = excluded.expires_at",
            self.process,
            " ".join(sorted(self._roles)) if self._ready else "",
            socket.gethostname(),
            os.getpid(),
            self._place,
            ttl,
        )
        self._bury(tx)
        for share in free:
            sql(tx).run(
                "UPDATE lease SET holder = NULL WHERE name = ? AND holder = ?", _name(share), self.process
            )
        held = sql(tx).rows(
            f"UPDATE lease SET expires_at = {_NOW} + ? WHERE name IN "  # noqa: S608
            "(SELECT name FROM lease WHERE holder = ? ORDER BY name FOR UPDATE) RETURNING name, kind, token",
            ttl,
            self.process,
        )
        living = {
            row["id"]: frozenset(row["roles"].split())
            for row in sql(tx).rows(f"SELECT id, roles FROM process WHERE {_LIVES}")  # noqa: S608
        }
        shares = {_share(row): int(row["token"]) for row in held}
        for duty in self._duties:
            room = self._part(duty, living) - sum(one[0] == duty for one in shares)
            if room > 0:
                shares |= {_share(row): int(row["token"]) for row in self._take(tx, duty, room, ttl)}
        return _Beat(shares, living)

    def _bury(self, tx: Tx) -> None:
        """Neighbours on this machine that were killed: nobody need wait for their expiry."""
        for row in sql(tx).rows(
            "SELECT id, pid FROM process WHERE place = ? AND id <> ?", self._place, self.process
        ):
            if not exists(row["pid"]):
                self._end(tx, row["id"])

    def _take(self, tx: Tx, duty: Duty, most: int, ttl: int) -> list[Row]:
        return sql(tx).rows(
            f"UPDATE lease SET holder = ?, token = token + 1, expires_at = {_NOW} + ? WHERE name IN "  # noqa: S608
            f"(SELECT name FROM lease WHERE kind = ? AND (holder IS NULL OR NOT ({_LIVES})) "
            "ORDER BY name LIMIT ? FOR UPDATE SKIP LOCKED) RETURNING name, kind, token",
            self.process,
            ttl,
            duty,
            most,
        )

    def _sign_off(self, tx: Tx) -> None:
        tx.lock("processes")
        self._end(tx, self.process)
        day = 86_400_000_000
        sql(tx).run(f"DELETE FROM process WHERE expires_at NOT BETWEEN {_NOW} - {day} AND {_NOW} + {day}")  # noqa: S608

    @staticmethod
    def _end(tx: Tx, process: str) -> None:
        sql(tx).run(
            "UPDATE lease SET holder = NULL WHERE name IN "
            "(SELECT name FROM lease WHERE holder = ? ORDER BY name FOR UPDATE)",
            process,
        )
        sql(tx).run("DELETE FROM process WHERE id = ?", process)


def _here() -> str:
    """Where our pids mean what we think: this boot of this machine, this pid namespace (pid_namespaces(7))."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"unknown to {new_ulid()}"


def _prepare(tx: Tx) -> None:
    for duty, (_, shares) in DUTIES.items():
        for number in range(shares):
            sql(tx).insert(
                "lease",
                {"name": _name((duty, number)), "kind": duty, "token": 0, "expires_at": 0},
                ignore=True,
            )


@dataclass(frozen=True, slots=True)
class LivingProcess:
    """A process of the gateway that lives, and where."""

    id: str
    host: str
    pid: int


def living_processes(tx: Tx) -> list[LivingProcess]:
    """The processes that live, by id."""
    rows = sql(tx).rows(f"SELECT id, host, pid FROM process WHERE {_LIVES} ORDER BY id")  # noqa: S608
    return [LivingProcess(**row) for row in rows]


def _name(share: Share) -> str:
    return f"{share[0]}/{share[1]:03}"


def _share(row: Row) -> Share:
    return row["kind"], int(row["name"].rpartition("/")[2])
