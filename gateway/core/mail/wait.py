"""Waiting for mail: what an inbox receives, as soon as it is indexed. The mail server is not asked.

A waiter first joins the event log, then reads what came after its ``since``, so that nothing is missed in between.
Spam and what the lists blocked is not waited for. ``limits.waits`` bounds the waits of an organization.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from gateway import metrics
from gateway.core.context import Core
from gateway.core.errors import NotFound, TooMany, Unavailable
from gateway.core.event_reach import may_hear
from gateway.core.lookup import find_inbox, find_message_id, require
from gateway.core.mail.messages import get_message
from gateway.core.mail.wait_match import Match
from gateway.events.live import MAX_WAITING, Stream
from gateway.events.log import event_id_of
from gateway.records.events import EventHead
from gateway.records.ids import EVENT_ID, MESSAGE_ID, EventId, MessageId, ulid_time_us
from gateway.records.inboxes import Inbox
from gateway.records.mail import NO_TEXT, Mail, MessageItem, Position
from gateway.store.arrival_time import event_time
from gateway.store.queries.events import message_of_event
from gateway.store.queries.messages import (
    message_position,
    message_with_seq,
    newest_received_position,
    received_after,
    texts_of_messages,
    unscoped_received,
)
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

__all__ = ["MAX_WAIT", "Match", "Watch", "received_event", "wait_for", "watch"]

MAX_WAIT = 300.0
"""Seconds that one wait may take."""

RECEIVED = "message.received"
_SECOND_US = 1_000_000
_HEADS = 200
_REMEMBERED = 2 * MAX_WAITING


async def wait_for(
    core: Core, scope: Scope, inbox_ref: str, match: Match, since: int | str | None, timeout: float
) -> Mail | None:
    """The first matching message with its texts, or None after ``timeout`` seconds (``MAX_WAIT`` at most).

    ``since`` as in ``watch``. Raises NotFound, Forbidden, TooMany, and Unavailable when the gateway stops.
    """
    wanted = await watch(core, scope, inbox_ref, match, since)
    limit = asyncio.timeout(max(0.0, min(timeout, MAX_WAIT)))
    try:
        async with limit, aclosing(wanted.arrivals()) as found:
            async for mail in found:
                return mail
    except TimeoutError:
        if not limit.expired():
            raise
    return None


async def watch(core: Core, scope: Scope, inbox_ref: str, match: Match, since: int | str | None) -> Watch:
    """What is asked of an inbox, checked before anything waits.

    ``since``: a time in µs, and what came from its second on counts too; or a message of the inbox, sent or received
    (any id), or an event (``evt_…``), and what came after it counts; of one that is gone the time in its id counts.
    None: only what comes from now on. Raises NotFound, Forbidden, TooMany.
    """
    require(scope, "message_read")

    def read(tx: Tx) -> tuple[Inbox, Position]:
        inbox = find_inbox(tx, scope, inbox_ref)
        if since is None:
            return inbox, newest_received_position(tx, inbox.id)
        return inbox, _position_of(tx, scope, inbox, since)

    inbox, start = await core.store.read(read)
    _check_open(core, scope)
    return Watch(core, scope, inbox, match, start, since is None)


@dataclass(frozen=True, slots=True)
class Watch:
    """A checked wait at an inbox. ``start``: what comes after it counts; ``fresh``: that was the newest."""

    core: Core
    scope: Scope
    inbox: Inbox
    match: Match
    start: Position
    fresh: bool

    async def arrivals(self) -> AsyncGenerator[Mail]:
        """Every matching message with its texts, first what is there, then what comes, each once.

        It never ends; close it (``aclosing``). Raises TooMany, and Unavailable when the gateway stops.
        """
        live, position = self.core.live, self.start
        passed: dict[str, None] = {}
        _check_open(self.core, self.scope)
        with live.counted(_counter(self.scope)), metrics.waits.track_inprogress():
            while True:
                stream = Stream(self.scope.organization, self._wants, "wait")
                try:
                    await live.join(stream, self.core.store, self.core.events)
                    async with aclosing(self._candidates(stream, position)) as candidates:
                        async for message in candidates:
                            position = max(position, (message.timestamp, message.seq))
                            if message.id in passed:
                                continue
                            passed[message.id] = None
                            if len(passed) > _REMEMBERED:
                                del passed[next(iter(passed))]
                            heads = self.match.accepts_head(message.sender, message.subject)
                            if heads and (mail := await self._whole(message.id)):
                                yield mail
                finally:
                    live.leave(stream)

    async def resume_id(self) -> EventId:
        """An event's id (ULID) that as ``since`` means ``start``; of an inbox without mail, its own."""

        def read(tx: Tx) -> EventId:
            message = message_with_seq(tx, self.inbox.id, self.start[1])
            return received_event(message) if message else EventId(self.inbox.id)

        return await self.core.store.read(read)

    async def _candidates(self, stream: Stream, position: Position) -> AsyncGenerator[MessageItem]:
        """Received messages, until the stream has fallen behind: then another goes on."""
        while stored := await self.core.store.read(
            partial(received_after, inbox_id=self.inbox.id, position=position, most=_HEADS)
        ):
            for message in stored:
                position = (message.timestamp, message.seq)
                yield message
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
            self.core.live.settle(stream, happened.event.id, sent=False)
            found = await self.core.store.read(
                partial(unscoped_received, message_id=happened.event.message_id)
            )
            if found is not None:
                yield found

    async def _whole(self, message_id: MessageId) -> Mail | None:
        """The message, when its text matches too and it is still there."""
        if self.match.reads_text and not await self.core.store.read(
            partial(_accepts_text, self.match, message_id)
        ):
            return None
        try:
            return await get_message(self.core, self.scope, self.inbox.id, MESSAGE_ID.public(message_id))
        except NotFound:  # deleted meanwhile, or made spam
            return None

    def _wants(self, event: EventHead) -> bool:
        ours = event.type == RECEIVED and event.inbox_id == self.inbox.id
        return ours and may_hear(self.scope, event)


def received_event(message: MessageItem) -> EventId:
    """The id (ULID) of the event of a received message."""
    return event_id_of(
        RECEIVED,
        organization_id=message.organization_id,
        inbox_id=message.inbox_id,
        subject=message.id,
        at=event_time(message.id),
    )


def _check_open(core: Core, scope: Scope) -> None:
    most = core.settings.limits.waits
    if most and core.live.open[_counter(scope)] >= most:
        raise TooMany(f"{most} waits for mail are open", 5, fix="let one end, or raise limits.waits")


def _counter(scope: Scope) -> str:
    """Waits are counted apart from WebSockets."""
    return f"wait:{scope.organization}"


# --- positions ---


def _position_of(tx: Tx, scope: Scope, inbox: Inbox, since: int | str) -> Position:
    if isinstance(since, int):
        return _second(since)
    ref = since.strip()
    if ref.lower().startswith("evt_"):
        event = EVENT_ID.parse(ref)
        if event is None:
            raise NotFound(f"there is no event {ref[:100]!r}", field="since", fix=_SINCE)
        message_id = message_of_event(tx, inbox.id, event)
        return _of_message(tx, inbox, message_id) if message_id else _second(ulid_time_us(event))
    ulid = MESSAGE_ID.parse(ref)
    if ulid is not None:
        return _of_message(tx, inbox, ulid)
    try:
        return _of_message(tx, inbox, find_message_id(tx, inbox, ref))
    except NotFound as error:
        error.field, error.fix = "since", _SINCE
        raise


def _of_message(tx: Tx, inbox: Inbox, ulid: MessageId) -> Position:
    # an agent deletes what it has read: the id of a message holds the time when it came
    return message_position(tx, inbox.id, ulid) or _second(ulid_time_us(ulid))


def _second(at: int) -> Position:
    """Before all that came in the second of ``at``: the time in an id has whole seconds."""
    return at // _SECOND_US * _SECOND_US, -1


_SINCE = "give a message of this inbox, an event (evt_…) or an ISO 8601 time"


def _accepts_text(match: Match, message_id: MessageId, tx: Tx) -> bool:
    """Runs in a thread of the store: a body may be long, and waits are many."""
    return match.accepts_text(texts_of_messages(tx, [message_id]).get(message_id, NO_TEXT))
