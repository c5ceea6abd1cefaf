"""Waiting for mail over HTTP, the same in every dialect: a long poll, or events as they come (SSE).

``GET …/messages/wait`` answers the first message that matches, or after ``timeout`` seconds that nothing came. With
``Accept: text/event-stream`` it answers each one as a server-sent event for as long as the client listens; the event's
id resumes with ``Last-Event-ID``, which clients do by themselves, and no mail is missed in between.

A client that goes frees its place; one whose key is revoked is told no more.
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
from gateway.records.mail import Mail
from gateway.store.engine import StoreDown

EVENT_STREAM = "text/event-stream"
DEFAULT_WAIT = 60
BEAT_SECONDS = 15.0
"""So often a silent stream says that it lives: proxies end what is silent for a minute."""

_RETRY_MS = 1000

Doc = msgspec.Meta
View = TypeVar("View")
Answer = TypeVar("Answer")
Show = Callable[[Mail], Awaitable[View]]


class WaitQuery(msgspec.Struct, kw_only=True):
    """What is waited for. All that is given must hold; case does not count."""

    from_: Annotated[
        str | None,
        Doc(description="the sender: a whole address, @domain, or a part of address or name"),
    ] = msgspec.field(name="from", default=None)
    subject: Annotated[str | None, Doc(description="a part of the subject, or /regex/ (RE2 syntax)")] = None
    text: Annotated[str | None, Doc(description="a part of the body")] = None
    since: Annotated[
        str | None,
        Doc(
            description="also what came after this: a message of the inbox (sent or received), an event (evt_…), or an "
            "ISO 8601 time; without it only what comes from now on"
        ),
    ] = None
    timeout: Annotated[
        int | None, Doc(description="seconds to wait, 1 to 300 (default 60; of a stream: no end)")
    ] = None


async def await_mail(
    call: Call[NoBody, WaitQuery], show: Show[View], wrap: Callable[[View | None], Answer]
) -> Answer:
    """The first matching message as ``show`` makes it, or None when
    nothing came, wrapped; the stream of events when the client asks for one.

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
        return cast(Answer, stream)  # what is a response goes out as it is
    wait = wait_for(
        call.core, call.scope, inbox, match, read_since(query.since), query.timeout or DEFAULT_WAIT
    )
    mail = await _while_there(call.request, wait)
    if mail is None:
        return wrap(None)
    await _still_may(call)
    return wrap(await show(mail))


def read_since(text: str | None) -> int | str | None:
    """``since`` as ``core.mail.wait`` takes it: µs of a time, or the id as it stands. Raises Invalid."""
    text = (text or "").strip()
    if not text:
        return None
    if text[:4].isdigit() and text[4:5] == "-":
        return parse_time(text, "since")
    return text


async def _still_may(call: Call[NoBody, WaitQuery]) -> None:
    """Raise Unauthorized or Forbidden when the key was revoked meanwhile, or may not read mail any more."""
    check(await authenticate(call.core, call.request), reads("message_read"))


async def _while_there(request: Request, wait: Coroutine[Any, Any, Mail | None]) -> Mail | None:
    """The wait's answer; it ends when the client goes. Raises ClientDisconnect."""
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
    """The stream: where it begins, then each message with its event's id. It ends with the key and the gateway."""
    head = f"retry: {_RETRY_MS}\n"
    if wanted.fresh:
        # resuming before anything came must not lose what came meanwhile
        head += f"id: evt_{await wanted.resume_id()}\n"
    yield f"{head}: waiting for mail\n\n".encode()
    loop = asyncio.get_running_loop()
    end = loop.time() + (call.query.timeout or math.inf)
    async with aclosing(wanted.arrivals()) as found:
        coming = asyncio.ensure_future(anext(found))
        try:
            while (left := end - loop.time()) > 0:
                await asyncio.wait({coming}, timeout=min(BEAT_SECONDS, left))
                await _still_may(call)
                if not coming.done():
                    yield b": still here\n\n"
                    continue
                mail = coming.result()
                coming = asyncio.ensure_future(anext(found))
                yield _frame(mail, encode(await show(mail)))
        except (Unauthorized, Forbidden, Unavailable, StoreDown):
            return  # the client comes again with Last-Event-ID, and is told there what is wrong
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)


def _frame(mail: Mail, data: bytes) -> bytes:
    head = f"id: evt_{received_event(mail.message)}\nevent: message.received\ndata: "
    return head.encode() + data + b"\n\n"
