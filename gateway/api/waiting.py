"""Waiting for mail over HTTP, the same in every dialect: a long poll or server-sent events (SSE).

``GET …/messages/wait`` answers the first message that matches, or after ``timeout`` seconds that none came. With
``Accept: text/event-stream`` each matching message is a server-sent event while the client listens. A client that
reconnects with ``Last-Event-ID`` misses no message.

The wait ends when the client disconnects or its key is revoked.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import Annotated, Any, TypeVar, cast

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import StreamingResponse

from gateway.api.auth import authenticate
from gateway.api.body import encode
from gateway.api.errors import Unauthorized
from gateway.api.routing import Call, NoBody
from gateway.api.times import parse_time
from gateway.core.access import check, reads
from gateway.core.errors import Forbidden, Invalid, Unavailable
from gateway.core.mail.wait import MAX_WAIT, Match, Watch, received_event, wait_for, watch
from gateway.records.ids import EVENT_ID
from gateway.records.mail import Mail
from gateway.store.engine import StoreDown

EVENT_STREAM = "text/event-stream"
DEFAULT_WAIT = 60
BEAT_SECONDS = 15.0
"""Seconds between comments on a silent stream: proxies close a connection that is silent for a minute."""

_RETRY_MS = 1000

Doc = msgspec.Meta
View = TypeVar("View")
Answer = TypeVar("Answer")
Show = Callable[[Mail], Awaitable[View]]


class WaitQuery(msgspec.Struct, kw_only=True):
    """The message to wait for. Every condition must hold; case is ignored."""

    from_: Annotated[
        str | None,
        Doc(description="the sender: a whole address, @domain, or a part of the address or name"),
    ] = msgspec.field(name="from", default=None)
    subject: Annotated[str | None, Doc(description="a part of the subject, or /regex/ (RE2 syntax)")] = None
    text: Annotated[str | None, Doc(description="a part of the body")] = None
    since: Annotated[
        str | None,
        Doc(
            description="also messages received after this: a message of the inbox (sent or received), an event "
            "(evt_…) or an ISO 8601 time; default: only messages received from now on"
        ),
    ] = None
    timeout: Annotated[
        int | None, Doc(description="seconds to wait, 1 to 300 (default 60; for a stream: no limit)")
    ] = None


async def await_mail(
    call: Call[NoBody, WaitQuery], show: Show[View], wrap: Callable[[View | None], Answer]
) -> Answer:
    """Wait for a message, or open an event stream when the client asks for one.

    Args:
        show: makes the JSON of a message.
        wrap: makes the answer from that; it gets None when no message came.

    Raises:
        Invalid, NotFound, Forbidden, TooMany
    """
    query = call.query
    if query.timeout is not None and not 1 <= query.timeout <= MAX_WAIT:
        raise Invalid(
            f"timeout takes 1 to {MAX_WAIT:.0f} seconds", field="timeout", fix="wait again when it has passed"
        )
    match = Match(query.from_, query.subject, query.text)
    inbox = call.ids["inbox_id"]
    if EVENT_STREAM in call.request.headers.get("accept", "").lower():
        since = read_since(call.request.headers.get("last-event-id") or query.since)
        wanted = await watch(call.core, call.scope, inbox, match, since)
        stream = StreamingResponse(
            _events(call, wanted, show),
            media_type=EVENT_STREAM,
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        return cast(Answer, stream)  # a Response is sent as it is
    wait = wait_for(
        call.core, call.scope, inbox, match, read_since(query.since), query.timeout or DEFAULT_WAIT
    )
    mail = await _while_there(call.request, wait)
    if mail is None:
        return wrap(None)
    await _check_key(call)
    return wrap(await show(mail))


def read_since(text: str | None) -> int | str | None:
    """Read ``since`` for ``core.mail.wait``: µs of a time, or an unchanged id. Raises Invalid."""
    text = (text or "").strip()
    if not text:
        return None
    if text[:4].isdigit() and text[4:5] == "-":
        return parse_time(text, "since")
    return text


async def _check_key(call: Call[NoBody, WaitQuery]) -> None:
    """Raise Unauthorized or Forbidden when the key was revoked meanwhile or may no longer read mail."""
    check(await authenticate(call.core, call.request), reads("message_read"))


async def _while_there(request: Request, wait: Coroutine[Any, Any, Mail | None]) -> Mail | None:
    """The result of ``wait``. Raises ClientDisconnect when the client disconnects first."""
    job = asyncio.create_task(wait, name="wait")
    gone = asyncio.create_task(_disconnected(request), name="wait-client")
    try:
        await asyncio.wait({job, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not job.done():
            raise ClientDisconnect
        return job.result()
    finally:
        job.cancel()
        gone.cancel()
        await asyncio.gather(job, gone, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _events(call: Call[NoBody, WaitQuery], wanted: Watch, show: Show[Any]) -> AsyncIterator[bytes]:
    """The stream: first the id to resume from, then each message with its event's id. It ends when the key is revoked
    or the gateway stops."""
    head = f"retry: {_RETRY_MS}\n"
    if wanted.fresh:
        # a client that resumes before the first message must not lose one
        head += f"id: {EVENT_ID.public(await wanted.resume_id())}\n"
    yield f"{head}: waiting for mail\n\n".encode()
    loop = asyncio.get_running_loop()
    end = loop.time() + (call.query.timeout or math.inf)
    async with aclosing(wanted.arrivals()) as found:
        coming = asyncio.ensure_future(anext(found))
        try:
            while (left := end - loop.time()) > 0:
                await asyncio.wait({coming}, timeout=min(BEAT_SECONDS, left))
                await _check_key(call)
                if not coming.done():
                    yield b": still here\n\n"
                    continue
                mail = coming.result()
                coming = asyncio.ensure_future(anext(found))
                yield _frame(mail, encode(await show(mail)))
        except (Unauthorized, Forbidden, Unavailable, StoreDown):
            return  # the client reconnects, and gets the error then
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)


def _frame(mail: Mail, data: bytes) -> bytes:
    head = f"id: {EVENT_ID.public(received_event(mail.message))}\nevent: message.received\ndata: "
    return head.encode() + data + b"\n\n"
