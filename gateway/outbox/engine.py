"""The outbox engine: claims what is due, hands it to the mail server, records what it said.

Killed at any instruction it loses nothing: see the package's docstring.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from gateway.events.log import EventLog
from gateway.mime.compose import bcc_field
from gateway.mime.types import Address
from gateway.outbox import queue, schedule
from gateway.outbox.destination_limits import DestinationLimits
from gateway.outbox.hand_over import NEAR, hand_over
from gateway.outbox.queue import Handling, PausedMeanwhile
from gateway.outbox.record import Patience, Tried, record
from gateway.outbox.recovery import FOUND, look_up
from gateway.outbox.retention import sweep
from gateway.outbox.simulator import replies as simulator
from gateway.outbox.simulator.replies import tried_soon
from gateway.records.ids import now_us
from gateway.records.simulator import is_simulated
from gateway.settings import Limits, Settings
from gateway.store.engine import Store, StoreDown
from gateway.store.leases import Leases, LocalLeases
from gateway.store.queries import outbox_claims as claims
from gateway.store.queries.outbox_claims import Job, Recipient
from gateway.store.transaction import Tx
from gateway.store.wake_event import WakeEvent
from mailserver.base import (
    Envelope,
    Hop,
    MailServer,
    RecipientReply,
)
from mailserver.content import Content, Octets, Spool
from mailserver.imap import ImapPool
from mailserver.memory import SMALL, Memory

log = logging.getLogger("postern.outbox")

T = TypeVar("T")

_IN_HAND = 128
_CALM = 2.0
"""Seconds after the end of a process before anything it left in doubt is looked up: Postfix may still ask a milter."""
_LOOK_AGAIN = 30.0
_SWEEP_SECONDS = 3600.0
_ADOPT_SECONDS = 2.0
_CHECK_SECONDS = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_GRACE = 8.0
_TIMES = 2  # what reading a message out of the database takes, in its own size
_TRIES_AT_LEAST = 3
_UNPLANNED_US = 60_000_000
_ASIDE_US = (1_000_000, 4_000_000)


class Outbox:
    """Sends what is queued. ``wake`` wakes it when a row was added; ``memory`` and ``spool`` (a directory) bound what
    large messages take."""

    def __init__(
        self,
        store: Store,
        mail: MailServer,
        imap: ImapPool,
        events: EventLog,
        settings: Settings,
        wake: WakeEvent,
        leases: Leases | None = None,
        memory: Memory | None = None,
        spool: Path | None = None,
    ) -> None:
        self._memory, self._spool = memory or Memory(Limits().memory), spool
        self._store, self._mail, self._imap, self._events = store, mail, imap, events
        self._settings, self._wake = settings, wake
        self._leases = leases or LocalLeases()
        self._patience = Patience(settings.outbox.retry_days, settings.outbox.retry_scale)
        self._hostname = settings.mail.hostname or f"mail.{settings.mail.domain}"
        self._destinations = DestinationLimits(settings.outbox.concurrency)
        self._jobs: dict[asyncio.Task[None], str] = {}  # with the message each works on
        self._check_claims = False
        self._checked = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._calm_at = 0.0

    async def start(self) -> None:
        """Take up what an earlier process left, and begin."""
        self._stopping = False
        self._calm_at = self._time() + _CALM
        await self._store.write(
            claims.unscoped_recover if self._leases.alone else claims.unscoped_recover_dead
        )
        self._check_claims = True
        self._tasks = [
            asyncio.create_task(self._run(), name="outbox"),
            asyncio.create_task(self._sweep(), name="outbox-sweep"),
        ]
        if not self._leases.alone:
            self._tasks.append(asyncio.create_task(self._adopt(), name="outbox-adopt"))

    async def stop(self) -> None:
        """Claim nothing more, let transactions that run finish for a few seconds, then drop the rest: their
        recipients stay ``attempting`` and are looked up after the next start."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if self._jobs:
            await asyncio.wait(self._jobs, timeout=_GRACE)
        for job in list(self._jobs):
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            room = _IN_HAND - len(self._jobs)
            if room < _IN_HAND // 4:
                await asyncio.wait(self._jobs, return_when=asyncio.FIRST_COMPLETED)
                continue
            try:
                if self._check_claims or self._time() - self._checked > _CHECK_SECONDS:
                    await self._recover()
                jobs = await self._store.write(
                    partial(claims.unscoped_claim, limit=room, by=self._leases.process)
                )
            except Exception as error:
                self._check_claims = True  # it may have been written, and only the answer was lost
                if isinstance(error, StoreDown):
                    log.warning("the outbox cannot read its queue: %s; it tries again", error)
                else:
                    log.exception("the outbox failed to claim; it goes on")
                await asyncio.sleep(1.0)
                continue
            for job in jobs:
                task = asyncio.create_task(self._job(job), name=f"outbox-{job.id}")
                self._jobs[task] = job.id
                task.add_done_callback(self._jobs.pop)
            due: int | None = 0
            if len(jobs) < room:
                try:
                    due = await self._store.read(claims.unscoped_next_due)
                except StoreDown as error:
                    log.warning("the outbox cannot read its queue: %s; it tries again", error)
                    await asyncio.sleep(1.0)
                    continue
            if due != 0:
                again = _LOOK_AGAIN if self._leases.alone else _ADOPT_SECONDS
                wait = again if due is None else max(0.005, min((due - now_us()) / 1e6, again))
                await self._wake.wait(wait)

    async def _recover(self) -> None:
        """Have sent what would wait for no reason: claims of ours that nobody works on, and times that a clock gave
        which was set back since. Between two claims, so that none is on its way."""
        held = set(self._jobs.values())
        lost = await self._store.write(
            partial(claims.unscoped_recover_lost, by=self._leases.process, held=held)
        )
        early = await self._store.write(claims.unscoped_recover_from_clock)
        self._check_claims, self._checked = False, self._time()
        if lost:
            log.warning("%d messages were claimed here and are not worked on; they are taken up again", lost)
        if early:
            log.warning("the clock was set back: %d messages that waited are tried now", early)

    @staticmethod
    def _time() -> float:
        return asyncio.get_running_loop().time()

    async def _sweep(self) -> None:
        while True:
            try:
                again = self._leases.holds(("sweep", 0))
                while again:
                    keep = self._settings.outbox.keep_days, self._settings.audit.keep_days
                    again = await self._store.write(partial(sweep, keep_days=keep[0], audit_days=keep[1]))
            except StoreDown as error:
                log.warning("old delivery records stay for now: %s", error)
            except Exception:
                log.exception("old delivery records could not be removed; it is tried again")
            await asyncio.sleep(_SWEEP_SECONDS)

    async def _adopt(self) -> None:
        """Take over what processes had claimed that died: those found dead twice in a row, since after an outage of
        the database, or with its clock set, living ones need a moment to say that they live."""
        before: set[str] = set()
        while True:
            await asyncio.sleep(_ADOPT_SECONDS)
            try:
                found_dead = await self._store.read(claims.unscoped_dead_claims)
                dead = {claim.by for claim in found_dead if claim.by is not None} - {self._leases.process}
                again, before = dead & before, dead
                found = (
                    await self._store.write(partial(claims.unscoped_recover_dead, of=again)) if again else 0
                )
            except StoreDown as error:
                log.warning("claims of dead processes wait for the database: %s", error)
                continue
            except Exception:
                log.exception("looking for claims of dead processes failed; it is tried again")
                continue
            if found:
                log.warning("%d messages were claimed by a process that is gone; they go on here", found)
                self._calm_at = self._time() + _CALM
                self._wake.set()

    async def _job(self, job: Job) -> None:
        """Every hop of one claimed message, at the same time; the last one settles it."""
        try:
            try:
                hops = self._plan(job)
            except Exception:
                log.exception("no route could be planned for %s; it is tried again", job.id)
                await self._put_back(job, job.recipients, now_us() + _UNPLANNED_US)
                return
            aside = [hop for hop, _ in hops if self._destinations.congested(hop)]
            if aside and len(aside) == len(hops):
                await self._put_back(job, job.recipients, _aside(job))
                return
            near = frozenset(
                one.id
                for hop, people in hops
                for one in people
                if hop.kind in NEAR or (hop.kind == "simulator" and tried_soon(one.address))
            )
            order = asyncio.Lock()
            left = [len(hops)]
            outcomes = await asyncio.gather(
                *(self._hop(job, hop, people, near, order, left) for hop, people in hops),
                return_exceptions=True,
            )
            failures = [one for one in outcomes if isinstance(one, BaseException)]
            if failures:
                raise failures[0]
        except Exception as error:
            if isinstance(error, StoreDown):  # this process ends: the next start looks up what became of it
                log.error("what became of %s cannot be recorded: %s", job.id, error)
                return
            log.exception("sending %s failed inside the gateway; it is tried again in a minute", job.id)
            await self._write(job, partial(_release, job=job, next_at=now_us() + _UNPLANNED_US))

    def _plan(self, job: Job) -> list[tuple[Hop, list[Recipient]]]:
        by_address = {one.address: one for one in job.recipients}
        # the Sent copy goes last in its transaction: when it is filed, those before it were served
        ordered = sorted(job.recipients, key=lambda one: one.role == "sent")
        people = [one.address for one in ordered]
        simulated = [one for one in people if self._settings.simulator.enabled and is_simulated(one)]
        hops = simulator.plan(simulated) + self._mail.plan([one for one in people if one not in simulated])
        return [(hop, [by_address[one] for one in hop.recipients]) for hop in hops]

    async def _hop(
        self,
        job: Job,
        hop: Hop,
        people: Sequence[Recipient],
        near: frozenset[int],
        order: asyncio.Lock,
        left: list[int],
    ) -> None:
        try:
            async with self._destinations.place(hop):
                replies = None if self._stopping else await self._transmit(job, hop, people)
        except Exception:
            left[0] -= 1
            raise
        async with order:
            left[0] -= 1
            if replies is None:
                await self._put_back(job, people, now_us() if not left[0] else None)
                return
            if not replies:
                await self._write(job, partial(queue.drop, job=job))
                return
            await self._write(
                job,
                partial(
                    record,
                    events=self._events,
                    job=job,
                    tried=Tried(hop, replies, near),
                    patience=self._patience,
                    hostname=self._hostname,
                    last=not left[0],
                    wake=self._wake.set,
                    answers_per_day=self._settings.simulator.answers_per_day,
                ),
            )

    async def _transmit(
        self, job: Job, hop: Hop, people: Sequence[Recipient]
    ) -> Mapping[int, RecipientReply] | None:
        """One transaction's replies by recipient id; empty when the message is gone, None when it is paused by now."""
        with Spool(self._spool) as spool:
            try:
                loaded = await self._load(job, spool)
            except PausedMeanwhile:
                return None
            if loaded is None:
                return {}
            return await self._hand_over(job, hop, people, *loaded)

    async def _load(self, job: Job, spool: Spool) -> tuple[Octets, Handling] | None:
        """A message; None when it is gone. A large one is on disk: handing it over may take long."""
        async with self._memory.hold(job.organization_id, _TIMES * job.size):
            loaded = await self._persist(job, partial(self._store.read, partial(queue.load, job=job)))
            if loaded is None or job.size < SMALL:
                return loaded
            data, handling = loaded
            try:
                await spool.append(data)
            except OSError as error:
                log.warning("message %s is sent from memory: %s", job.id, error)
                return data, handling
            return Content(b"", spool), handling

    async def _hand_over(
        self, job: Job, hop: Hop, people: Sequence[Recipient], data: Octets, handling: Handling
    ) -> Mapping[int, RecipientReply]:
        envelope = Envelope(
            mail_from=job.mail_from,
            recipients=hop.recipients,
            data=data,
            token=job.token,
            message_id=job.message_id,
            sender=handling.sender,
            dsn=bool(job.mail_from) and not is_simulated(job.mail_from),
            tokens={one.address: one.token for one in people if one.token},
            sent_fields=_sent_fields(job, people, handling.bcc),
        )
        answers: dict[int, RecipientReply] = {}
        doubtful = [one for one in people if one.doubtful]
        near = hop.kind in NEAR
        if doubtful and near:
            await asyncio.sleep(self._calm_at - self._time())
            lookup = partial(look_up, self._store, self._mail, self._imap, job, hop, envelope, doubtful)
            found = await self._persist(job, lookup)
            log.info(
                "message %s: of %d doubtful recipients %d had it, and %d cannot be asked about now",
                job.id,
                len(doubtful),
                len(found.taken),
                len(found.unclear),
            )
            answers = {**dict.fromkeys(found.taken, FOUND), **found.unclear}
            gone = self._given_up(job)
            if gone is not None:  # it is not there, and would be in doubt again for ever
                answers = {**{one.id: gone for one in doubtful}, **answers}
            people = [one for one in people if one.id not in answers]
            if not people:
                return answers
            rest = tuple(one.address for one in people)
            hop = Hop(hop.kind, hop.key, rest)
            envelope = replace(envelope, recipients=rest)
        try:
            if hop.kind == "simulator":
                seconds = self._settings.simulator.slow_seconds
                said = await simulator.replies(hop, job.attempts, seconds)
            else:
                said = await hand_over(self._mail, hop, envelope)
        except Exception as error:
            log.exception("handing %s to %s failed inside the gateway", job.id, hop.key)
            reply = RecipientReply(451, "4.3.0", f"a defect: {type(error).__name__}", unknown=near)
            said = dict.fromkeys(hop.recipients, reply)
        replies = {one.id: said[one.address] for one in people}
        if any(one.unknown for one in replies.values()):
            self._calm_at = self._time() + _CALM
        return {**answers, **replies}

    def _given_up(self, job: Job) -> RecipientReply | None:
        """What a message has come to that was tried several times, and for long enough; None to try again."""
        patience = self._patience
        over = schedule.given_up(now_us(), job.waits_since, patience.days, patience.scale)
        if not over or job.attempts <= _TRIES_AT_LEAST:
            return None
        return RecipientReply(451, "4.4.7", "4.4.7 the mail server answered nothing again and again", "local")

    async def _put_back(self, job: Job, people: Sequence[Recipient], next_at: int | None) -> None:
        def back(tx: Tx) -> None:
            claims.put_back(tx, job, people)
            if next_at is not None:
                claims.release(tx, job, next_at, tried=False)

        await self._write(job, back)
        if next_at is not None:
            self._wake.set()

    async def _write(self, job: Job, work: Callable[[Tx], object]) -> None:
        await self._persist(job, partial(self._store.write, work))

    async def _persist(self, job: Job, work: Callable[[], Awaitable[T]]) -> T:
        """Do ``work`` for a message as soon as the database is there: nobody else knows what became of it, and it
        would wait for as long as its claim. Raises StoreDown only when this process ends."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return await work()
            except StoreDown as error:
                if self._stopping:
                    raise
                if pause == _FIRST_PAUSE:
                    log.warning("%s waits here for the database: %s", job.id, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


def _sent_fields(job: Job, people: Sequence[Recipient], bcc: Sequence[Address]) -> bytes:
    """What the copy for Sent has above the message's own fields, where ``people`` have it among them."""
    if not bcc or not any(one.role == "sent" for one in people):
        return b""
    try:
        return bcc_field(bcc)
    except ValueError as error:  # what was accepted goes out all the same
        log.warning("the copy of %s in Sent cannot name its Bcc: %s", job.id, error)
        return b""


def _release(tx: Tx, job: Job, next_at: int) -> None:
    claims.release(tx, job, next_at, tried=True)


def _aside(job: Job) -> int:
    """Somewhere in the next seconds, spread by the message's id so that a backlog does not come at once."""
    low, high = _ASIDE_US
    return now_us() + low + int(job.id[-4:], 36) % (high - low)
