"""Waiting for mail: what an inbox receives, as soon as it is indexed. The mail server is not asked.

A waiter listens to the log first and then looks at what is there since its ``since``, so that nothing falls between.
Spam and what the lists blocked is not waited for. ``limits.waits`` bounds the waits of an organization.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from gateway import metrics
from gateway.core.context import Core
from gateway.core.errors import NotFound, TooMany, Unavailable
from gateway.core.event_reach import may_hear
from gateway.core.lookup import find_inbox, find_message_id, require
from gateway.core.mail.messages import ITEM, add_bodies, get_message
from gateway.core.mail.wait_match import Match
from gateway.events.live import MAX_WAITING, Stream
from gateway.events.log import event_id_of
from gateway.records.events import EventHead
from gateway.records.inboxes import Inbox
from gateway.store.arrival_time import event_time
from gateway.store.engine import Row, Tx
from gateway.store.ids import parse_id, ulid_time_us
from gateway.store.queries.events import message_of_event
from gateway.store.scope import Scope

__all__ = ["MAX_WAIT", "Match", "Watch", "received_event", "wait_for", "watch"]

MAX_WAIT = 300.0
"""Seconds that one wait may take."""

RECEIVED = "message.received"
_SECOND_US = 1_000_000
_HEADS = 200
_REMEMBERED = 2 * MAX_WAITING

Place = tuple[int, int]
"""Where a message stands in its inbox: (timestamp, seq)."""


async def wait_for(
    core: Core, scope: Scope, inbox_ref: str, match: Match, since: int | str | None, timeout: float
) -> Row | None:
    """The first matching message with ``labels`` and bodies, or None after ``timeout`` seconds (``MAX_WAIT`` at most).

    ``since`` as in ``watch``. Raises NotFound, Forbidden, TooMany, and Unavailable when the gateway stops.
    """
    wanted = await watch(core, scope, inbox_ref, match, since)
    limit = asyncio.timeout(max(0.0, min(timeout, MAX_WAIT)))
    try:
        async with limit, aclosing(wanted.arrivals()) as found:
            async for row in found:
                return row
    except TimeoutError:
        if not limit.expired():
            raise
    return None


async def watch(core: Core, scope: Scope, inbox_ref: str, match: Match, since: int | str | None) -> Watch:
    """What is asked of an inbox, checked before anything waits.

    ``since``: a time in µs, and what came from its second on counts too; or a message of the inbox, sent or received
    (any id), or an event (``evt_…``), and what came after it counts; of one that is gone its id tells the time.
    None: only what comes from now on. Raises NotFound, Forbidden, TooMany.
    """
    require(scope, "message_read")

    def read(tx: Tx) -> tuple[Inbox, Place]:
        inbox = find_inbox(tx, scope, inbox_ref)
        if since is None:
            return inbox, _newest(tx, inbox)
        return inbox, _place_of(tx, scope, inbox, since)

    inbox, start = await core.store.read(read)
    _check_open(core, scope)
    return Watch(core, scope, inbox, match, start, since is None)


@dataclass(frozen=True, slots=True)
class Watch:
    """A checked wait at an inbox. ``start``: what stands after it counts; ``fresh``: that was the newest."""

    core: Core
    scope: Scope
    inbox: Inbox
    match: Match
    start: Place
    fresh: bool

    async def arrivals(self) -> AsyncGenerator[Row]:
        """Every matching message with ``labels`` and bodies, first what is there, then what comes, each once.

        It never ends; close it (``aclosing``). Raises TooMany, and Unavailable when the gateway stops.
        """
        live, place = self.core.live, self.start
        passed: dict[str, None] = {}
        _check_open(self.core, self.scope)
        with live.counted(_counter(self.scope)), metrics.waits.track_inprogress():
            while True:
                stream = Stream(self.scope.organization, self._wants, "wait")
                try:
                    await live.join(stream, self.core.store, self.core.events)
                    async with aclosing(self._candidates(stream, place)) as candidates:
                        async for row, at in candidates:
                            place = max(place, at)
                            if row["id"] in passed:
                                continue
                            passed[row["id"]] = None
                            if len(passed) > _REMEMBERED:
                                del passed[next(iter(passed))]
                            if self.match.accepts_head(row) and (whole := await self._whole(row)):
                                yield whole
                finally:
                    live.leave(stream)

    async def resume_id(self) -> str:
        """An event's id (ULID) that as ``since`` means ``start``; of an inbox without mail, its own."""

        def read(tx: Tx) -> str:
            row = tx.row(
                "SELECT id, organization_id, inbox_id, timestamp FROM message WHERE inbox_id = ? AND seq = ?",
                self.inbox.id,
                self.start[1],
            )
            return received_event(row) if row else str(self.inbox.id)

        return await self.core.store.read(read)

    async def _candidates(self, stream: Stream, place: Place) -> AsyncGenerator[tuple[Row, Place]]:
        """Heads of received mail and their places, until the stream has fallen behind: then another goes on."""
        while rows := await self.core.store.read(partial(_stored, inbox=self.inbox.id, place=place)):
            for row in rows:
                place = (row["timestamp"], row["seq"])
                yield row, place
        while not stream.lost.is_set():
            if self.core.live.closing.is_set():
                raise Unavailable(
                    "the gateway stops, and the wait with it",
                    1,
                    fix="wait again, with since, and miss nothing",
                )
            happened = await stream.next()
            if happened is None:
                continue
            self.core.live.settle(stream, happened.event.id, told=False)
            found = await self.core.store.read(partial(_head, message_id=happened.event.message_id or ""))
            if found is not None:
                yield found, (found["timestamp"], found["seq"])

    async def _whole(self, row: Row) -> Row | None:
        """The message, when its text matches too and it is still there."""
        if self.match.reads_text and not await self.core.store.read(partial(_accepts_text, self.match, row)):
            return None
        try:
            return await get_message(self.core, self.scope, self.inbox.id, f"msg_{row['id']}")
        except NotFound:  # deleted meanwhile, or made spam
            return None

    def _wants(self, event: EventHead) -> bool:
        ours = event.type == RECEIVED and event.inbox_id == self.inbox.id
        return ours and may_hear(self.scope, event)


def received_event(row: Row) -> str:
    """The id (ULID) of the event that told of a received message."""
    return event_id_of(
        RECEIVED,
        organization_id=row["organization_id"],
        inbox_id=row["inbox_id"],
        subject=row["id"],
        at=event_time(row["id"]),
    )


def _check_open(core: Core, scope: Scope) -> None:
    most = core.settings.limits.waits
    if most and core.live.open[_counter(scope)] >= most:
        raise TooMany(f"{most} waits for mail are open", 5, fix="let one end, or raise limits.waits")


def _counter(scope: Scope) -> str:
    """Waits are counted apart from WebSockets."""
    return f"wait:{scope.organization}"


# --- places ---


def _newest(tx: Tx, inbox: Inbox) -> Place:
    row = tx.row(
        f"SELECT timestamp, seq FROM message WHERE inbox_id = ? AND {_COMES} "  # noqa: S608
        "ORDER BY timestamp DESC, seq DESC LIMIT 1",
        inbox.id,
    )
    return (row["timestamp"], row["seq"]) if row else (0, 0)


def _place_of(tx: Tx, scope: Scope, inbox: Inbox, since: int | str) -> Place:
    if isinstance(since, int):
        return _second(since)
    ref = since.strip()
    if ref.lower().startswith("evt_"):
        event = parse_id("evt", ref)
        if event is None:
            raise NotFound(f"there is no event {ref[:100]!r}", field="since", fix=_SINCE)
        told = message_of_event(tx, inbox.id, event)
        return _of_message(tx, inbox, told) if told else _second(ulid_time_us(event))
    ulid = parse_id("msg", ref)
    if ulid is not None:
        return _of_message(tx, inbox, ulid)
    try:
        return _of_message(tx, inbox, find_message_id(tx, inbox, ref))
    except NotFound as error:
        error.field, error.fix = "since", _SINCE
        raise


def _of_message(tx: Tx, inbox: Inbox, ulid: str) -> Place:
    row = tx.row("SELECT timestamp, seq FROM message WHERE id = ? AND inbox_id = ?", ulid, inbox.id)
    # an agent deletes what it has read: the id of a message tells when it came
    return (row["timestamp"], row["seq"]) if row else _second(ulid_time_us(ulid))


def _second(at: int) -> Place:
    """Before all that came in the second of ``at``: the time in an id has whole seconds."""
    return at // _SECOND_US * _SECOND_US, -1


_SINCE = "give a message of this inbox, an event (evt_…) or an ISO 8601 time"

_COMES = "direction = 'inbound' AND hidden = 0"


def _stored(tx: Tx, inbox: str, place: Place) -> Sequence[Row]:
    return tx.rows(
        f"SELECT {ITEM} FROM message WHERE inbox_id = ? AND {_COMES} AND (timestamp, seq) > (?, ?) "  # noqa: S608
        "ORDER BY timestamp, seq LIMIT ?",
        inbox,
        *place,
        _HEADS,
    )


def _accepts_text(match: Match, row: Row, tx: Tx) -> bool:
    """In a reader's thread: a body may be long, and waits are many."""
    add_bodies(tx, [row])
    return match.accepts_text(row)


def _head(tx: Tx, message_id: str) -> Row | None:
    return tx.row(f"SELECT {ITEM} FROM message WHERE id = ? AND {_COMES}", message_id)  # noqa: S608
