"""Waiting for mail that has not come yet."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from gateway.api.times import parse_time, to_seconds
from gateway.core.access import reads
from gateway.core.mail.wait import MAX_WAIT, Match, wait_for
from gateway.mcp.arguments import Doc, InboxId, bounded, within
from gateway.mcp.mail_view import whole
from gateway.mcp.resolve import inbox_of
from gateway.mcp.toolbox import Answer, Arguments, Call, Toolbox
from gateway.mcp.untrusted_text import Fence
from gateway.store.ids import now_us

box = Toolbox()

_BEAT = 2.0
"""Seconds between two signs of life: clients that count on them wait on."""


class WaitForEmail(Arguments, rename={"sender": "from"}):
    sender: Annotated[
        str | None, Doc(description="In the sender's address or name, such as @github.com.")
    ] = None
    subject: Annotated[str | None, Doc(description="In the subject; /expression/ is a regular one.")] = None
    text: Annotated[str | None, Doc(description="In the body.")] = None
    since: Annotated[
        str | None,
        Doc(
            description="Also mail that came since this time (ISO 8601), such as the sent_at of the email you await an "
            "answer to, or after the message of this id. Default: only mail that comes from now on."
        ),
    ] = None
    timeout: Annotated[int, bounded("Seconds to wait (default 50).", 1, int(MAX_WAIT))] = 50
    inbox_id: InboxId = None


@box.tool("Wait for an email", access=reads("message_read"), read_only=True)
async def wait_for_email(call: Call[WaitForEmail]) -> Answer:
    """Wait until an email that matches is received, and read it, with its one-time code or link when it has one.
    Answers at once when it comes. Without from, subject or text any email will do."""
    args = call.args
    match = Match(args.sender, args.subject, args.text)
    began = now_us()
    since = _since(args.since)
    inbox = await inbox_of(call, args.inbox_id)
    seconds = within(args.timeout, 1, int(MAX_WAIT))
    async with _beating(call, seconds):
        mail = await wait_for(call.core, call.scope, inbox.id, match, since, seconds)
    again = since if isinstance(since, str) else to_seconds(began if since is None else since)
    if mail is None:
        data: dict[str, Any] = {"found": False, "inbox_id": inbox.public_id, "since": again}
        return Answer(
            f"No email that matches came to {inbox.address} within {seconds} seconds. To go on waiting without "
            f"missing one, call wait_for_email again with since={again}.",
            data,
        )
    fence = Fence()
    text, message = whole(mail, fence, full=False)
    return Answer(
        "\n".join(["An email came.", fence.notice, text]),
        {"found": True, "message": message, "since": again, "notice": fence.notice},
    )


def _since(given: str | None) -> int | str | None:
    """A time in µs, or the id of a message. Raises Invalid."""
    text = (given or "").strip()
    return text if text.startswith(("msg_", "evt_")) else parse_time(text or None, "since")


@contextlib.asynccontextmanager
async def _beating(call: Call[Any], seconds: float) -> AsyncIterator[None]:
    """Tell the client now and then that the call still waits."""
    began = time.monotonic()

    async def beat() -> None:
        while True:
            await asyncio.sleep(_BEAT)
            await call.progress(time.monotonic() - began, seconds, "waiting for mail")

    job = asyncio.create_task(beat(), name="mcp-beat")
    try:
        yield
    finally:
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
