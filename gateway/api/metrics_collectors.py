"""What Prometheus asks and nobody counts: Postfix's queue, what waits in the database, certificate, parts.

Each is looked up when it is asked for and what is known is too old, in a task of its own: however long a look takes and
however it ends, the scrape is answered. A gauge that could not be looked up is left out, never shown as it was.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

from cryptography import x509
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.core.context import Core
from gateway.store.engine import Store, StoreDown
from gateway.store.queries.deliveries import unscoped_waiting_deliveries
from gateway.store.queries.outbox import unscoped_waiting_count
from gateway.store.queries.totals import database_answers
from mailserver.postfix_dovecot import PostfixServer

log = logging.getLogger("postern.metrics")

Families = Sequence[GaugeMetricFamily]

_EVERY = 15.0
_PATIENCE = 1.0  # seconds a scrape waits for looks; what comes later is for the next one
_LONGEST = 60.0


class Gauges(Collector):
    """The gauges of one gateway; generate them from ``registry`` after ``refresh``."""

    def __init__(self, core: Core) -> None:
        mail, settings = core.mail, core.settings.mail
        self._looks = [
            Look("parts", _EVERY, lambda: _parts(core)),
            Look("waiting", _EVERY, lambda: _waiting(core)),
            Look("disk", 5.0, lambda: _disk(core)),
        ]
        if isinstance(mail, PostfixServer):
            self._looks.append(Look("queue", _EVERY, lambda: _queue(mail)))
        if settings.tls_cert:
            certificate = Path(settings.tls_cert)
            self._looks.append(Look("certificate", 60, lambda: _certificate(certificate)))
        self.registry = CollectorRegistry()
        self.registry.register(self)

    async def refresh(self) -> None:
        """Look where it is time to, for a second at most. Never raises."""
        if tasks := [task for look in self._looks if (task := look.begun())]:
            await asyncio.wait(tasks, timeout=_PATIENCE)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        return [family for look in self._looks for family in look.found]


class Look:
    """One thing to look at, at most once in ``every`` seconds and by one task at a time."""

    def __init__(self, name: str, every: float, ask: Callable[[], Awaitable[Families]]) -> None:
        self.found: Families = ()
        self._name = name
        self._every = every
        self._ask = ask
        self._again = 0.0
        self._task: asyncio.Task[None] | None = None
        self._said = ""

    def begun(self) -> asyncio.Task[None] | None:
        """The look under way, begun now when it is time; None when what is known is young enough."""
        if self._task is not None and not self._task.done():
            return self._task
        if time.monotonic() < self._again:
            return None
        self._task = asyncio.create_task(self._look(), name=f"metrics: {self._name}")
        return self._task

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(_LONGEST):
                self.found = await self._ask()
            self._said = ""
        except Exception as error:
            self.found = ()
            words = f"{type(error).__name__}: {error}"
            if words != self._said:
                log.warning("the metrics of %s are left out: %s", self._name, words)
            self._said = words
        self._again = time.monotonic() + self._every


async def _parts(core: Core) -> Families:
    family = GaugeMetricFamily(
        "postern_part_up", "Whether a part works, 1 or 0; why not: /ready", labels=["part"]
    )
    family.add_metric(["database"], float(await _answers(core.store)))
    for name, health in (await core.mail.health()).items():
        family.add_metric([name], float(health.ok))
    return [family]


async def _answers(store: Store) -> bool:
    try:
        async with asyncio.timeout(2):
            return await store.read(database_answers)
    except (StoreDown, TimeoutError):
        return False


async def _disk(core: Core) -> Families:
    free = GaugeMetricFamily(
        "postern_disk_free_bytes", "Room on the file system of data, mail or queue", labels=["place"]
    )
    floor = GaugeMetricFamily(
        "postern_disk_floor_bytes", "Room below which nothing is taken in", labels=["place"]
    )
    for one in await core.disks.rooms():
        free.add_metric([one.name], one.free)
        floor.add_metric([one.name], one.floor)
    return [free, floor]


async def _waiting(core: Core) -> Families:
    outbox, webhooks = await core.store.read(
        lambda tx: (unscoped_waiting_count(tx), unscoped_waiting_deliveries(tx))
    )
    return [
        GaugeMetricFamily("postern_outbox_waiting", "Accepted messages that are not settled", outbox),
        GaugeMetricFamily(
            "postern_webhooks_waiting", "Events that wait for an endpoint to take them", webhooks
        ),
    ]


async def _queue(mail: PostfixServer) -> Families:
    state = await mail.queue()
    return [
        GaugeMetricFamily("postern_mail_queue_messages", "Messages in Postfix's queue", state.count),
        GaugeMetricFamily(
            "postern_mail_queue_oldest_seconds",
            "Age of the oldest message in Postfix's queue",
            state.oldest_seconds,
        ),
    ]


async def _certificate(path: Path) -> Families:
    ours, *_ = await asyncio.to_thread(lambda: x509.load_pem_x509_certificates(path.read_bytes()))
    left = ours.not_valid_after_utc.timestamp() - time.time()
    words = "Until the mail server's certificate expires, below 0 when it has"
    return [GaugeMetricFamily("postern_certificate_expiry_seconds", words, left)]
