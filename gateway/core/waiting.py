"""Waiting for mail: the first message received that matches, as soon as it is indexed. The mail server is not asked.

A waiter listens to the log first and then looks at what is there since its ``since``, so that nothing falls between.
Spam and what the lists blocked is not waited for.
"""

from __future__ import annotations

import asyncio

import re2

from gateway.core.context import Core
from gateway.core.errors import Invalid, Unavailable
from gateway.core.event_reach import may_hear
from gateway.core.listing import Filter, Position, Window
from gateway.core.lookup import find_inbox, require
from gateway.core.messages import get_indexed, list_messages
from gateway.events.live import Stream
from gateway.store.engine import Row
from gateway.store.people import person_of
from gateway.store.scope import Scope

MAX_WAIT = 300.0
"""Seconds that one wait may take."""

_SECOND_US = 1_000_000
_PAGE = 100
_MAX_PATTERN = 500
_FLAGS = frozenset("gimsu")


class Match:
    """Which message is waited for: all that is given must hold, case aside; blanks are not given.

    ``sender``: in the address or the name. ``subject``: in the subject, or ``/regex/`` (RE2, which takes linear time
    whatever the mail). ``text``: in the body. Raises Invalid.
    """

    def __init__(
        self, sender: str | None = None, subject: str | None = None, text: str | None = None
    ) -> None:
        self._sender, self._text = _folded(sender), _folded(text)
        self._pattern = _pattern(subject.strip()) if subject else None
        self._subject = _folded(subject) if self._pattern is None else ""

    def accepts(self, row: Row) -> bool:
        """Whether a message row with its bodies matches."""
        one = person_of(row["from_json"])
        sender = f"{one.name} <{one.email}>".casefold() if one else ""
        bodies = (row.get("text"), row.get("extracted_text"))
        return (
            self._sender in sender
            and self._subject in row["subject"].casefold()
            and (self._pattern is None or self._pattern.search(row["subject"]) is not None)
            and (not self._text or any(self._text in (body or "").casefold() for body in bodies))
        )


async def wait_for(
    core: Core, scope: Scope, inbox_ref: str, match: Match, since: int | None, timeout: float
) -> Row | None:
    """The first matching message with ``labels`` and bodies, or None after ``timeout`` seconds (``MAX_WAIT`` at most).

    ``since``: µs; what came from its second on counts too, oldest first. None: only what comes from now on.
    Raises NotFound, Forbidden, and Unavailable when the gateway stops.
    """
    require(scope, "message_read")
    inbox = await core.store.read(lambda tx: find_inbox(tx, scope, inbox_ref))

    def wants(event: Row) -> bool:
        return (
            event["type"] == "message.received"
            and event["inbox_id"] == inbox["id"]
            and may_hear(scope, event)
        )

    stream = Stream(scope.organization, wants, "wait")
    try:
        async with asyncio.timeout(max(0.0, min(timeout, MAX_WAIT))):
            await core.live.join(stream, core.store, core.events)
            found = await _there(core, scope, inbox, match, since) if since is not None else None
            return found or await _coming(core, stream, match)
    except TimeoutError:
        return None
    finally:
        core.live.leave(stream)


async def _there(core: Core, scope: Scope, inbox: Row, match: Match, since: int) -> Row | None:
    """The first match among what came already."""
    wanted = Filter(direction="inbound", after=since // _SECOND_US * _SECOND_US - 1)
    position: Position | None = None
    while True:
        page = await list_messages(
            core, scope, inbox["id"], wanted, Window(_PAGE, 0, position, True), bodies=True
        )
        for row in page.rows:
            if match.accepts(row):
                return await get_indexed(core, row["id"])
        position = page.next
        if position is None:
            return None


async def _coming(core: Core, stream: Stream, match: Match) -> Row:
    """The first match among what comes."""
    closing = asyncio.create_task(core.live.closing.wait(), name="wait-closing")
    closing.add_done_callback(lambda _: stream.wake())
    lost = asyncio.create_task(stream.lost.wait(), name="wait-lost")
    lost.add_done_callback(lambda _: stream.wake())
    try:
        while not (core.live.closing.is_set() or stream.lost.is_set()):
            happened = await stream.next()
            if happened is not None:
                core.live.settle(stream, happened.row["id"], told=False)
                row = await get_indexed(core, happened.row["message_id"])
                if row is not None and match.accepts(row):
                    return row
        raise Unavailable("the wait was cut short", fix="wait again, with the same since")
    finally:
        closing.cancel()
        lost.cancel()


def _folded(text: str | None) -> str:
    return (text or "").strip().casefold()


def _pattern(subject: str) -> re2._Regexp | None:
    """The expression of ``/…/`` or ``/…/i``; None for plain text."""
    if not subject.startswith("/") or len(subject) < 3:
        return None
    expression, slash, flags = subject[1:].rpartition("/")
    if not slash or not expression or not _FLAGS.issuperset(flags):
        return None
    if len(expression) > _MAX_PATTERN:
        raise Invalid(f"the expression is longer than {_MAX_PATTERN} characters", field="subject")
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        return re2.compile(expression, options)
    except re2.error as error:
        words = error.args[0].decode("utf-8", "replace") if error.args else "it is none"
        raise Invalid(
            f"subject is not a regular expression that can be used here: {words}",
            field="subject",
            fix="use RE2 syntax (no look-around, no back-references), or plain text",
        ) from None
