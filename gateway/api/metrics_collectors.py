"""Gauges that are measured when Prometheus scrapes: Postfix's queue, pending work, disk, certificate, components.

Each probe runs in a task of its own, when its last result is too old. A slow or failed probe never delays the scrape:
its gauges are left out, and no old value is shown.
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
from gateway.store.queries.pauses import unscoped_pause_totals
from gateway.store.queries.totals import database_answers
from mailserver.postfix_dovecot import PostfixServer

log = logging.getLogger("postern.metrics")

Families = Sequence[GaugeMetricFamily]

_EVERY = 15.0  # seconds between two measurements
_PATIENCE = 1.0  # seconds a scrape waits for probes; later results are for the next scrape
_LONGEST = 60.0  # seconds until a probe is given up


class Gauges(Collector):
    """The gauges of one gateway. Call ``refresh``, then generate the metrics from ``registry``."""

    def __init__(self, core: Core) -> None:
        mail, settings = core.mail, core.settings.mail
        self._probes = [
            Probe("parts", _EVERY, lambda: _parts(core)),
            Probe("waiting", _EVERY, lambda: _waiting(core)),
            Probe("disk", 5.0, lambda: _disk(core)),
        ]
        if isinstance(mail, PostfixServer):
            self._probes.append(Probe("queue", _EVERY, lambda: _queue(mail)))
        if settings.tls_cert:
            certificate = Path(settings.tls_cert)
            self._probes.append(Probe("certificate", 60, lambda: _certificate(certificate)))
        self.registry = CollectorRegistry()
        self.registry.register(self)

    async def refresh(self) -> None:
        """Run the probes that are due, and wait a second at most. Never raises."""
        if tasks := [task for probe in self._probes if (task := probe.begin())]:
            await asyncio.wait(tasks, timeout=_PATIENCE)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        return [family for probe in self._probes for family in probe.families]


class Probe:
    """Measures some gauges, at most once in ``every`` seconds and in one task at a time."""

    def __init__(self, name: str, every: float, measure: Callable[[], Awaitable[Families]]) -> None:
        self.families: Families = ()
        self._name = name
        self._every = every
        self._measure = measure
        self._due = 0.0
        self._task: asyncio.Task[None] | None = None
        self._logged = ""

    def begin(self) -> asyncio.Task[None] | None:
        """Return the running measurement, starting one when it is due; None while the last result is recent enough."""
        if self._task is not None and not self._task.done():
            return self._task
        if time.monotonic() < self._due:
            return None
        self._task = asyncio.create_task(self._run(), name=f"metrics: {self._name}")
        return self._task

    async def _run(self) -> None:
        try:
            async with asyncio.timeout(_LONGEST):
                self.families = await self._measure()
            self._logged = ""
        except Exception as error:
            self.families = ()
            reason = f"{type(error).__name__}: {error}"
            if reason != self._logged:
                log.warning("the metrics of %s are left out: %s", self._name, reason)
            self._logged = reason
        self._due = time.monotonic() + self._every


async def _parts(core: Core) -> Families:
    family = GaugeMetricFamily(
        "postern_part_up", "Whether a component works, 1 or 0; /ready says why not", labels=["part"]
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
        "postern_disk_free_bytes", "Free space on the file system of data, mail or queue", labels=["place"]
    )
    floor = GaugeMetricFamily(
        "postern_disk_floor_bytes", "Free space below which no mail is accepted", labels=["place"]
    )
    for disk in await core.disks.rooms():
        free.add_metric([disk.name], disk.free)
        floor.add_metric([disk.name], disk.floor)
    return [free, floor]


async def _waiting(core: Core) -> Families:
    outbox, webhooks, paused = await core.store.read(
        lambda tx: (unscoped_waiting_count(tx), unscoped_waiting_deliveries(tx), unscoped_pause_totals(tx))
    )
    pauses = GaugeMetricFamily(
        "postern_pauses", "Pauses that hold: of inboxes, pods, organizations, the server", labels=["level"]
    )
    for level in ("inbox", "pod", "organization", "server"):
        pauses.add_metric([level], paused.by_level.get(level, 0))
    return [
        pauses,
        GaugeMetricFamily(
            "postern_outbox_paused", "Accepted messages that wait for the end of a pause", paused.waiting
        ),
        GaugeMetricFamily(
            "postern_outbox_waiting", "Accepted messages that are not yet delivered or given up", outbox
        ),
        GaugeMetricFamily("postern_webhooks_waiting", "Events not yet delivered to their webhook", webhooks),
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
    about = "Seconds until the mail server's certificate expires, below 0 when it has expired"
    return [GaugeMetricFamily("postern_certificate_expiry_seconds", about, left)]
