"""Waiting for new mail."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from msgspec import UNSET, UnsetType

from gateway.api.times import parse_time, to_seconds
from gateway.core.access import reads
from gateway.core.mail.wait import MAX_WAIT, Match, wait_for
from gateway.mcp.arguments import Doc, InboxId, at_most, within
from gateway.mcp.mail_view import whole
from gateway.mcp.resolve import inbox_of
from gateway.mcp.schema import UNLISTED
from gateway.mcp.toolbox import Answer, Arguments, Call, Result, Toolbox
from gateway.mcp.untrusted_text import Fence
from gateway.records.ids import now_us

box = Toolbox()

_PROGRESS_SECONDS = 2.0
"""Seconds between two progress notifications, which keep some clients from timing out."""


class WaitForEmail(Arguments, rename={"sender": "from"}):
    sender: Annotated[str | None, Doc(description="Part of name or address.")] = None
    subject: Annotated[str | None, Doc(description="Part of the subject, or /regex/.")] = None
    text: Annotated[str | None, Doc(description="Part of the body.")] = None
    since: Annotated[
        str | None,
        Doc(description="Also mail since this ISO 8601 time or message id."),
    ] = None
    timeout: Annotated[int, at_most("Seconds, default 50.", int(MAX_WAIT))] = 50
    inbox_id: InboxId = None


class WaitedMessage(Result):
    """The message, when one came (``found``). ``since``: what to wait with again."""

    found: bool
    since: str
    inbox_id: Annotated[str, UNLISTED]
    message: dict[str, Any] | UnsetType = UNSET
    notice: Annotated[str | UnsetType, UNLISTED] = UNSET


@box.tool("Wait for email", access=reads("message_read"), read_only=True)
async def wait_for_email(call: Call[WaitForEmail]) -> Answer[WaitedMessage]:
    """Wait for a new email that matches, and read it with its one-time code or link."""
    args = call.args
    match = Match(args.sender, args.subject, args.text)
    began = now_us()
    since = _since(args.since)
    inbox = await inbox_of(call, args.inbox_id)
    seconds = within(args.timeout, 1, int(MAX_WAIT))
    async with _progress(call, seconds):
        mail = await wait_for(call.core, call.scope, inbox.id, match, since, seconds)
    again = since if isinstance(since, str) else to_seconds(began if since is None else since)
    if mail is None:
        return Answer(
            f"No matching email came to {inbox.address} within {seconds} seconds. To wait on without missing one, "
            f"call wait_for_email again with since={again}.",
            WaitedMessage(found=False, since=again, inbox_id=inbox.public_id),
        )
    fence = Fence()
    text, message = whole(mail, fence, full=False)
    return Answer(
        "\n".join(["An email came.", fence.notice, text]),
        WaitedMessage(
            found=True, since=again, inbox_id=inbox.public_id, message=message, notice=fence.notice
        ),
    )


def _since(given: str | None) -> int | str | None:
    """A time in µs, or the id of a message. Raises Invalid."""
    text = (given or "").strip()
    return text if text.startswith(("msg_", "evt_")) else parse_time(text or None, "since")


@contextlib.asynccontextmanager
async def _progress(call: Call[Any], seconds: float) -> AsyncIterator[None]:
    """Notify the client regularly that the call still waits."""
    began = time.monotonic()

    async def notify() -> None:
        while True:
            await asyncio.sleep(_PROGRESS_SECONDS)
            await call.progress(time.monotonic() - began, seconds, "waiting for mail")

    job = asyncio.create_task(notify(), name="mcp-progress")
    try:
        yield
    finally:
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
