"""The lookup tables: which domains, mailboxes and aliases there are, for Dovecot, Postfix and our receiver.

Where they live is a :class:`mailserver.lookup_storage.Storage`. Written by provisioning only, durable at each change,
never by the mail flow. All rows are mirrored in memory, so that a lookup in the gateway costs no disk access; a
writer in another process is noticed by :meth:`Directory.refresh`.

Who gets mail to an address: the mailbox of that name; else the targets of the alias of that name; else the same for
the address without its last tag (RFC 5233), and so on; else the domain's catch-all. The first of these that has a row
decides, so an address whose mailbox is being removed, or that is refused, takes no mail even in a domain with a
catch-all. ``lookup_rule`` says the same in SQL.

Every method but the in-memory lookups blocks: call them in a thread.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256

from mailserver.addresses import names_of
from mailserver.base import REFUSED
from mailserver.lookup_storage import Execute, Rows, Storage

_MAKING = 2  # in column ``enabled``: Dovecot opens what is not 0, Postfix and people want 1
_PLAIN = re.compile(r"[a-z0-9@._-]")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One row. ``home`` is a directory name; ``enabled`` is False while the mailbox is being removed, or made
    (``making``: the gateway alone can open it, no mail is accepted for it). ``quota`` is in octets of mail; None is
    the mail server's default."""

    address: str
    home: str
    password: str | None = field(repr=False)
    enabled: bool = True
    making: bool = False
    quota: int | None = None


def home_prefix(address: str) -> str:
    """The readable part of a home directory's name: one for each address, safe as a file name."""
    slug = "".join(c if _PLAIN.match(c) else "".join(f"={b:02x}" for b in c.encode()) for c in address)
    if len(slug) > 150:
        slug = slug[:110] + "=" + sha256(address.encode()).hexdigest()[:32]
    return slug.lstrip(".") + "~"


def new_home(address: str) -> str:
    """A fresh name each time, so that a lingering process of a removed mailbox never meets the new one."""
    return home_prefix(address) + secrets.token_hex(8)


class Directory:
    """The lookup tables. Thread-safe."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._lock = threading.Lock()
        self._domains: frozenset[str] = frozenset()
        self._mailboxes: dict[str, Mailbox] = {}
        self._aliases: dict[str, tuple[str, ...]] = {}
        self._pending: list[Mailbox] = []

    def open(self, mode: int = 0o640, group: int = -1) -> None:
        """Make or open the tables, load the rows. ``group`` (a gid) may read them where they are a file."""
        with self._lock:
            self._storage.open(mode, group)
            self._mirror(self._storage.rows())

    def close(self) -> None:
        with self._lock:
            self._storage.close()

    # -- lookups, in memory -------------------------------------------------------------------------

    def has_domain(self, domain: str) -> bool:
        return domain in self._domains

    def find(self, address: str) -> Mailbox | None:
        """The live mailbox at ``address`` (already folded), or None."""
        row = self._mailboxes.get(address)
        return row if row is not None and row.enabled else None

    def row(self, address: str) -> Mailbox | None:
        """The row at ``address``, being removed or not."""
        return self._mailboxes.get(address)

    def named(self, recipient: str) -> str:
        """The mailbox or alias that an envelope recipient means: the longest of its names that has a row. Without any,
        the recipient itself, folded; "" when it is no address."""
        names = names_of(recipient)
        known = (one for one in names if one in self._mailboxes or one in self._aliases)
        return next(known, names[0] if names else "")

    def targets(self, address: str) -> tuple[str, ...]:
        """The mailboxes that mail to ``address`` (as ``named`` gives it) reaches, in order; none: it is refused."""
        held = self._mailboxes.get(address)
        if held is not None:
            return (address,) if held.enabled else ()
        found = self._aliases.get(address)
        if found is None:
            found = self._aliases.get(catch_all_of(address), ())
        return tuple(one for one in found if self.find(one) is not None)

    def may_send(self, mailbox: str, address: str) -> bool:
        """Whether a mailbox's person may write as ``address`` (folded): his own, or an alias that reaches him.

        A catch-all makes no one the owner of every name.
        """
        if address == mailbox or address in self._mailboxes or address.startswith("@"):
            return address == mailbox
        return mailbox in self._aliases.get(address, ())

    def domains(self) -> frozenset[str]:
        return self._domains

    def mailboxes(self) -> list[Mailbox]:
        """Every row, those being removed included."""
        return list(self._mailboxes.values())

    def aliases(self) -> dict[str, tuple[str, ...]]:
        """Every alias and catch-all (``@domain``) with its targets."""
        return dict(self._aliases)

    # -- changes: committed first, then mirrored ----------------------------------------------------

    def add_domain(self, *names: str) -> None:
        with self._change() as run:
            for name in names:
                run("INSERT INTO domain VALUES (?) ON CONFLICT DO NOTHING", (name,))
        self._domains |= set(names)

    def remove_domain(self, *names: str) -> None:
        """Mailboxes and aliases are removed by themselves."""
        with self._change() as run:
            for name in names:
                run("DELETE FROM domain WHERE name = ?", (name,))
        self._domains -= set(names)

    def add_mailboxes(self, rows: list[Mailbox]) -> None:
        """Insert rows; an address that has one keeps it."""
        with self._change() as run:
            for row in rows:
                added = run(
                    "INSERT INTO mailbox (address, home, password, enabled, quota) VALUES (?, ?, ?, ?, ?)"
                    " ON CONFLICT DO NOTHING",
                    (
                        row.address,
                        row.home,
                        row.password,
                        _MAKING if row.making else int(row.enabled),
                        row.quota,
                    ),
                )
                if added:
                    self._pending.append(row)

    def set_password(self, address: str, stored: str | None) -> None:
        with self._change() as run:
            run("UPDATE mailbox SET password = ? WHERE address = ?", (stored, address))
            if (row := self._mailboxes.get(address)) is not None:
                self._pending.append(replace(row, password=stored))

    def set_quotas(self, wanted: Mapping[str, int | None]) -> None:
        """How much mail mailboxes may hold, from the next delivery on: octets, 0 for no limit, None for the mail
        server's default. Addresses without a mailbox are passed over."""
        rows = [(self._mailboxes.get(address), octets) for address, octets in wanted.items()]
        changed = [replace(row, quota=octets) for row, octets in rows if row and row.quota != octets]
        if not changed:
            return
        with self._change() as run:
            for row in changed:
                run("UPDATE mailbox SET quota = ? WHERE address = ?", (row.quota, row.address))
            self._pending += changed

    def enable(self, row: Mailbox) -> None:
        """From this commit on a mailbox that was being made takes mail and its person logs in."""
        with self._change() as run:
            run("UPDATE mailbox SET enabled = 1 WHERE address = ? AND home = ?", (row.address, row.home))
            self._pending.append(replace(row, enabled=True, making=False))

    def disable(self, *addresses: str) -> None:
        """From this commit on nobody logs in and no mail is accepted; the row remembers the home."""
        with self._change() as run:
            for address in addresses:
                run("UPDATE mailbox SET enabled = 0, password = NULL WHERE address = ?", (address,))
                if (row := self._mailboxes.get(address)) is not None:
                    self._pending.append(replace(row, password=None, enabled=False, making=False))

    def forget(self, *rows: Mailbox) -> None:
        """Delete rows whose mail is gone from disk; no alias leads to them any more."""
        with self._change() as run:
            for row in rows:
                run("DELETE FROM alias WHERE mailbox = ?", (row.address,))
                run("DELETE FROM mailbox WHERE address = ? AND home = ?", (row.address, row.home))
        gone = {row.address for row in rows}
        left = {one: tuple(to for to in all_ if to not in gone) for one, all_ in self._aliases.items()}
        self._aliases = {address: to for address, to in left.items() if to}
        for row in rows:
            held = self._mailboxes.get(row.address)
            if held is not None and held.home == row.home:
                del self._mailboxes[row.address]

    def set_aliases(self, wanted: Mapping[str, Sequence[str]]) -> None:
        """Give each address exactly these targets (folded mailbox addresses, or REFUSED); none takes it away."""
        changed = {address: _ordered(to) for address, to in wanted.items()}
        changed = {one: to for one, to in changed.items() if self._aliases.get(one, ()) != to}
        if not changed:
            return
        with self._change() as run:
            _delete_aliases(run, changed)
            for address, to in changed.items():
                for one in to:
                    run("INSERT INTO alias (address, mailbox) VALUES (?, ?)", (address, one))
        self._aliases = {address: to for address, to in (self._aliases | changed).items() if to}

    def refresh(self) -> bool:
        """Reload if another process changed the tables; True if it did."""
        with self._lock:
            if not self._storage.changed():
                return False
            self._mirror(self._storage.rows())
            return True

    @contextmanager
    def _change(self) -> Iterator[Execute]:
        with self._lock:
            self._pending = []
            with self._storage.change() as run:
                yield run
            self._mailboxes.update((row.address, row) for row in self._pending)

    def _mirror(self, rows: Rows) -> None:
        self._domains = frozenset(rows.domains)
        self._mailboxes = {
            address: Mailbox(address, home, password, enabled == 1, enabled == _MAKING, quota)
            for address, home, password, enabled, quota in rows.mailboxes
        }
        aliases: dict[str, list[str]] = {}
        for address, target in rows.aliases:
            aliases.setdefault(address, []).append(target)
        self._aliases = {address: _ordered(to) for address, to in aliases.items()}


def catch_all_of(address: str) -> str:
    """The alias that takes what nobody else in the domain of ``address`` does."""
    return "@" + address.rpartition("@")[2]


def _ordered(targets: Iterable[str]) -> tuple[str, ...]:
    unique = sorted(set(targets))
    return (REFUSED,) if REFUSED in unique else tuple(unique)


def _delete_aliases(run: Execute, addresses: Iterable[str]) -> None:
    for address in addresses:
        run("DELETE FROM alias WHERE address = ?", (address,))
