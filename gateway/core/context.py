"""What every operation works with: one value, made once by ``gateway.app.build`` and handed down."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from gateway.core.inbox_addresses import InboxAddresses
from gateway.core.key_ring import KeyRing
from gateway.events.live import LiveEvents
from gateway.events.log import EventLog
from gateway.extract.pool import ExtractPool
from gateway.mime.workers.parser_pool import ParserPool
from gateway.net.client import SafeClient
from gateway.settings import Limits, Settings
from gateway.store.engine import Store
from gateway.store.leases import Leases, LocalLeases
from gateway.store.wake_event import WakeEvent
from mailserver.base import MailServer
from mailserver.disks import Disks
from mailserver.imap import ImapPool
from mailserver.inflight import InFlight
from mailserver.memory import Memory


@dataclass(frozen=True, slots=True)
class Core:
    """The running parts an operation may use.

    ``outbox_wake`` wakes the outbox when a row waits, ``inbox_wake`` the watch of inboxes when there is a new one;
    ``secret`` signs URLs and return-path tokens; ``keys`` recognises API keys; ``live`` offers open sockets the new
    events; ``extractor`` reads attachments (None: switched off); ``leases`` say what this process may do where there
    are several. ``memory`` is what large messages wait for, ``inflight`` counts bodies that are being received,
    ``disks`` hold all of it; ``trials`` counts the test posts to webhooks that are under way, by organization;
    ``addresses`` are those of inboxes, by id; ``claims`` of idempotency keys that requests of this process work on, by
    (work, time) (``core.idempotency``).
    """

    settings: Settings
    store: Store
    mail: MailServer
    imap: ImapPool
    parser: ParserPool
    fetcher: SafeClient
    events: EventLog
    outbox_wake: WakeEvent
    secret: bytes
    data_dir: Path
    leases: Leases = field(default_factory=LocalLeases)
    keys: KeyRing = field(default_factory=KeyRing)
    live: LiveEvents = field(default_factory=LiveEvents)
    extractor: ExtractPool | None = None
    claims: WeakValueDictionary[tuple[str, int], Any] = field(default_factory=WeakValueDictionary)
    trials: Counter[str] = field(default_factory=Counter)
    addresses: InboxAddresses = field(default_factory=InboxAddresses)
    inbox_wake: WakeEvent = field(default_factory=WakeEvent)
    memory: Memory = field(default_factory=lambda: Memory(Limits().memory))
    disks: Disks = field(default_factory=lambda: Disks({}, 0))
    inflight: InFlight = field(default_factory=lambda: InFlight(Limits().octets_in_flight))

    @property
    def spool(self) -> Path:
        """Where large bodies and messages lie while they are worked on; its files have no names."""
        return self.data_dir / "spool"
