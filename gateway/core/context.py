"""What every operation works with: one value, made once by ``gateway.app`` and handed down."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from gateway.core.key_ring import KeyRing
from gateway.events.live import LiveEvents
from gateway.events.log import EventLog
from gateway.extract.pool import ExtractPool
from gateway.mime.worker import ParserPool
from gateway.net.client import SafeClient
from gateway.settings import Settings
from gateway.store.bell import Bell
from gateway.store.engine import Store
from gateway.store.leases import Leases, LocalLeases
from mailserver.base import MailServer
from mailserver.imap import ImapPool


@dataclass(frozen=True, slots=True)
class Core:
    """The running parts an operation may use.

    ``outbox_bell`` tells the outbox that a row waits; ``secret`` signs URLs and return-path tokens; ``keys``
    recognises API keys; ``live`` tells open sockets of new events; ``extractor`` reads
    attachments (None: switched off); ``leases`` say what this process may do where there are several; ``claims`` of
    idempotency keys that requests of this process work on, by (work, time) (``core.idempotency``).
    """

    settings: Settings
    store: Store
    mail: MailServer
    imap: ImapPool
    parser: ParserPool
    fetcher: SafeClient
    events: EventLog
    outbox_bell: Bell
    secret: bytes
    data_dir: Path
    leases: Leases = field(default_factory=LocalLeases)
    keys: KeyRing = field(default_factory=KeyRing)
    live: LiveEvents = field(default_factory=LiveEvents)
    extractor: ExtractPool | None = None
    claims: WeakValueDictionary[tuple[str, int], Any] = field(default_factory=WeakValueDictionary)
