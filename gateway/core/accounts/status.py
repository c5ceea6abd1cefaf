"""What a gateway holds and its state: the figures of ``postern status``, with the gateway running or not.

Nothing here takes long on a large database: what would have to be counted row by row is kept counted, or bounded.
"""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from gateway.records.ids import now_us
from gateway.settings import Settings
from gateway.store.database_url import sqlite_file
from gateway.store.engine import Store, StoreDown
from gateway.store.queries.deliveries import unscoped_waiting_deliveries
from gateway.store.queries.inboxes import unscoped_inbox_total
from gateway.store.queries.outbox import unscoped_oldest_waiting, unscoped_waiting_count
from gateway.store.queries.pauses import PauseTotals, unscoped_pause_totals
from gateway.store.queries.totals import (
    database_size,
    unscoped_last_mail,
    unscoped_message_total,
    unscoped_organization_total,
)
from gateway.store.transaction import Tx

_RECENT = 5000  # messages among which the last one in and out is looked for


@dataclass(frozen=True, slots=True)
class Mail:
    """Counts, and µs of the last message each way (None: none, or not among the last thousands)."""

    organizations: int
    inboxes: int
    messages: int
    last_received: int | None
    last_sent: int | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait, and for how long (seconds) the oldest does."""

    count: int
    oldest: float | None


@dataclass(frozen=True, slots=True)
class Database:
    """``kind`` SQLite or PostgreSQL; ``size`` in octets (None: not known); ``error``: why it does not answer."""

    kind: str
    size: int | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk that data or queue are on; octets."""

    path: str
    free: int
    total: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """The mail server's certificate; ``error``: why it cannot be read."""

    file: str
    name: str | None = None
    expires: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """``mail``, ``queue``, ``webhooks`` and ``paused`` None: the database does not answer. ``certificate`` None: none
    is set."""

    database: Database
    mail: Mail | None
    queue: Waiting | None
    webhooks: int | None
    paused: PauseTotals | None
    disks: tuple[Disk, ...]
    certificate: Certificate | None


async def figures(settings: Settings, data_dir: Path, store: Store) -> Figures:
    """The figures; whatever cannot be had says so in its place."""
    disks, certificate = await asyncio.to_thread(lambda: (_disks(settings, data_dir), _certificate(settings)))
    kind = "PostgreSQL" if store.postgres else "SQLite"
    try:
        mail, queue, webhooks, paused, size = await store.read(_counted)
    except StoreDown as error:
        return Figures(Database(kind, None, str(error)), None, None, None, None, disks, certificate)
    if size is None and (file := sqlite_file(store.url)):
        size = await asyncio.to_thread(_size, file)
    return Figures(Database(kind, size), mail, queue, webhooks, paused, disks, certificate)


def _counted(tx: Tx) -> tuple[Mail, Waiting, int, PauseTotals, int | None]:
    oldest = unscoped_oldest_waiting(tx)
    queue = Waiting(
        unscoped_waiting_count(tx),
        (now_us() - oldest) / 1e6 if oldest is not None else None,
    )
    last = unscoped_last_mail(tx, _RECENT)
    mail = Mail(
        unscoped_organization_total(tx),
        unscoped_inbox_total(tx),
        unscoped_message_total(tx),
        last.received,
        last.sent,
    )
    return mail, queue, unscoped_waiting_deliveries(tx), unscoped_pause_totals(tx), database_size(tx)


def _size(file: Path) -> int:
    """With what is not checkpointed yet."""
    return sum(one.stat().st_size for one in (file, file.with_name(f"{file.name}-wal")) if one.exists())


def _disks(settings: Settings, data_dir: Path) -> tuple[Disk, ...]:
    places = [data_dir, *([Path(settings.mail.postfix_spool)] if settings.mail.postfix_spool else [])]
    found: dict[int, Disk] = {}
    for place in places:
        try:
            room = shutil.disk_usage(place)
            found.setdefault(place.stat().st_dev, Disk(str(place), room.free, room.total))
        except OSError:
            continue  # not there yet, or not ours to see
    return tuple(found.values())


def _certificate(settings: Settings) -> Certificate | None:
    file = settings.mail.tls_cert
    if not file:
        return None
    try:
        ours, *_ = x509.load_pem_x509_certificates(Path(file).read_bytes())
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return Certificate(file, error=words)
    try:
        names = ours.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        name = next(iter(names.get_values_for_type(x509.DNSName)), None)
    except x509.ExtensionNotFound:
        name = None
    if name is None and (common := ours.subject.get_attributes_for_oid(NameOID.COMMON_NAME)):
        name = str(common[0].value)
    return Certificate(file, name, ours.not_valid_after_utc)
