"""The outbox engine: claims what is due, hands it to the mail server, records what it said.

Killed at any instruction it loses nothing: see the package's docstring.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial

from gateway.events.log import EventLog
from gateway.mime.dkim_sign import SigningError
from gateway.outbox import queue, submissions
from gateway.outbox.doubt import FOUND, taken_already
from gateway.outbox.lanes import Lanes
from gateway.outbox.queue import Job, Recipient
from gateway.outbox.record import Patience, Tried, record
from gateway.outbox.sweep import sweep
from gateway.settings import Settings
from gateway.smarthost.profiles import profile_of, relay_headers
from gateway.store.bell import Bell
from gateway.store.engine import Store, StoreDown, Tx
from gateway.store.ids import now_us
from gateway.store.leases import Leases, LocalLeases
from mailserver.base import (
    Envelope,
    Hop,
    MailServer,
    MailServerDown,
    MailServerError,
    RecipientReply,
    Submission,
)
from mailserver.imap import ImapPool

log = logging.getLogger("postern.outbox")

_IN_HAND = 128
_CALM = 0.5  # seconds after the start before anything in doubt is looked up
_LOOK_AGAIN = 30.0
_SWEEP_SECONDS = 3600.0
_ADOPT_SECONDS = 2.0
_TRANSMIT_SECONDS = 20 * 60.0  # below the lease; RFC 5321 §4.5.3.2 allows 10 minutes for one reply
_GRACE = 8.0
_UNPLANNED_US = 60_000_000
_ASIDE_US = (1_000_000, 4_000_000)


class Outbox:
    """Sends what is queued. ``bell`` rings when a row was added; ``secret`` makes return-path tokens."""

    def __init__(
        self,
        store: Store,
        mail: MailServer,
        imap: ImapPool,
        events: EventLog,
        settings: Settings,
        bell: Bell,
        secret: bytes,
        leases: Leases | None = None,
    ) -> None:
        self._store, self._mail, self._imap, self._events = store, mail, imap, events
        self._settings, self._bell, self._secret = settings, bell, secret
        self._leases = leases or LocalLeases()
        self._patience = Patience(settings.outbox.retry_days, settings.outbox.retry_scale)
        self._hostname = settings.mail.hostname or f"mail.{settings.mail.domain}"
        self._lanes = Lanes(settings.outbox.concurrency)
        self._jobs: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._calm_at = 0.0

    async def start(self) -> None:
        """Take up what an earlier process left, and begin."""
        self._stopping = False
        self._calm_at = asyncio.get_running_loop().time() + _CALM
        await self._store.write(queue.recover if self._leases.alone else queue.recover_dead)
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

    async def accept_submission(self, submission: Submission) -> str:
        """Make a person's submission durable; answers its queue id.

        Raises MailServerError (in words for the person) to refuse, MailServerDown to ask the
        client to try again.
        """
        try:
            inbox, signing = await self._store.read(partial(submissions.check, submission=submission))
            ready = await asyncio.to_thread(
                submissions.prepare,
                submission,
                inbox,
                profile_of(self._settings).signing(signing),
                partial(relay_headers, self._settings),
            )
            outbox_id = await self._store.write(
                partial(
                    submissions.queue, submission=submission, inbox=inbox, ready=ready, secret=self._secret
                )
            )
        except StoreDown as error:
            raise MailServerDown(f"the queue cannot be written now: {error}") from error
        except SigningError as error:
            raise MailServerError(f"{error}") from error
        self._bell.ring()
        return outbox_id

    async def _run(self) -> None:
        while True:
            room = _IN_HAND - len(self._jobs)
            if room < _IN_HAND // 4:
                await asyncio.wait(self._jobs, return_when=asyncio.FIRST_COMPLETED)
                continue
            try:
                jobs = await self._store.write(partial(queue.claim, limit=room, by=self._leases.process))
                due = await self._store.read(queue.next_due) if len(jobs) < room else 0
            except StoreDown as error:
                log.warning("the outbox cannot read its queue: %s; it tries again", error)
                await asyncio.sleep(1.0)
                continue
            except Exception:
                log.exception("the outbox failed to claim; it goes on")
                await asyncio.sleep(1.0)
                continue
            for job in jobs:
                task = asyncio.create_task(self._job(job), name=f"outbox-{job.id}")
                self._jobs.add(task)
                task.add_done_callback(self._jobs.discard)
            if due != 0:
                again = _LOOK_AGAIN if self._leases.alone else _ADOPT_SECONDS
                wait = again if due is None else max(0.005, min((due - now_us()) / 1e6, again))
                await self._bell.wait(wait)

    async def _sweep(self) -> None:
        while True:
            try:
                again = self._leases.holds(("sweep", 0))
                while again:
                    again = await self._store.write(partial(sweep, keep_days=self._settings.outbox.keep_days))
            except StoreDown as error:
                log.warning("old delivery records stay for now: %s", error)
            await asyncio.sleep(_SWEEP_SECONDS)

    async def _adopt(self) -> None:
        """Take over what processes had claimed that died."""
        while True:
            await asyncio.sleep(_ADOPT_SECONDS)
            try:
                found = await self._store.write(queue.recover_dead)
            except StoreDown as error:
                log.warning("claims of dead processes wait for the database: %s", error)
                continue
            except Exception:
                log.exception("looking for claims of dead processes failed; it is tried again")
                continue
            if found:
                log.warning("%d messages were claimed by a process that is gone; they go on here", found)
                self._bell.ring()

    async def _job(self, job: Job) -> None:
        """Every hop of one claimed message, at the same time; the last one settles it."""
        try:
            try:
                hops = self._plan(job)
            except Exception:
                log.exception("no route could be planned for %s; it is tried again", job.id)
                await self._put_back(job, job.recipients, now_us() + _UNPLANNED_US)
                return
            aside = [hop for hop, _ in hops if self._lanes.congested(hop)]
            if aside and len(aside) == len(hops):
                await self._put_back(job, job.recipients, _aside(job))
                return
            near = frozenset(
                one.id for hop, people in hops if hop.kind in ("lmtp", "submission") for one in people
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
        except StoreDown as error:
            # the outcome is unrecorded: the lease ends, then it is looked up or repeated
            log.error("outcome of %s cannot be recorded: %s", job.id, error)
        except Exception:
            log.exception(
                "sending %s failed inside the gateway; it is tried again when its lease ends", job.id
            )

    def _plan(self, job: Job) -> list[tuple[Hop, list[Recipient]]]:
        by_address = {one.address: one for one in job.recipients}
        # the Sent copy goes last in its transaction: when it is filed, those before it were served
        ordered = sorted(job.recipients, key=lambda one: one.role == "sent")
        hops = self._mail.plan([one.address for one in ordered])
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
            async with self._lanes.place(hop):
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
                await self._store.write(partial(queue.drop, job=job))
                return
            await self._store.write(
                partial(
                    record,
                    events=self._events,
                    job=job,
                    tried=Tried(hop, replies, near),
                    patience=self._patience,
                    hostname=self._hostname,
                    last=not left[0],
                    wake=self._bell.ring,
                )
            )

    async def _transmit(
        self, job: Job, hop: Hop, people: Sequence[Recipient]
    ) -> Mapping[int, RecipientReply]:
        """One transaction's replies by recipient id; empty when the message is gone."""
        loaded = await self._store.read(partial(queue.load, job=job))
        if loaded is None:
            return {}
        data, sender = loaded
        envelope = Envelope(
            mail_from=job.mail_from,
            recipients=hop.recipients,
            data=data,
            token=job.token,
            message_id=job.message_id,
            sender=sender,
            dsn=bool(job.mail_from),
        )
        answers: dict[int, RecipientReply] = {}
        doubtful = [one for one in people if one.doubtful]
        if doubtful and hop.kind in ("lmtp", "submission"):
            await asyncio.sleep(self._calm_at - asyncio.get_running_loop().time())
            try:
                taken = await taken_already(self._store, self._mail, self._imap, job, hop, envelope, doubtful)
            except MailServerDown as error:
                return {one.id: RecipientReply(451, "4.3.0", str(error)) for one in people}
            answers = dict.fromkeys(taken, FOUND)
            log.info("message %s: %d of %d doubtful recipients had it", job.id, len(taken), len(doubtful))
            people = [one for one in people if one.id not in taken]
            if not people:
                return answers
            rest = tuple(one.address for one in people)
            hop = Hop(hop.kind, hop.key, rest)
            envelope = Envelope(
                envelope.mail_from, rest, data, job.token, job.message_id, sender, envelope.dsn
            )
        try:
            async with asyncio.timeout(_TRANSMIT_SECONDS):
                said = await self._mail.transmit(hop, envelope)
        except (TimeoutError, MailServerError) as error:
            reply = RecipientReply(451, "4.4.2", str(error) or "no answer in time")
            return {**answers, **{one.id: reply for one in people}}
        silent = RecipientReply(451, "4.4.0", "no reply for this recipient")
        return {**answers, **{one.id: said.get(one.address, silent) for one in people}}

    async def _put_back(self, job: Job, people: Sequence[Recipient], next_at: int | None) -> None:
        def back(tx: Tx) -> None:
            queue.put_back(tx, job, people)
            if next_at is not None:
                queue.release(tx, job, next_at, tried=False)

        await self._store.write(back)
        if next_at is not None:
            self._bell.ring()


def _aside(job: Job) -> int:
    """Somewhere in the next seconds, spread by the message's id so that a backlog does not come at once."""
    low, high = _ASIDE_US
    return now_us() + low + int(job.id[-4:], 36) % (high - low)
