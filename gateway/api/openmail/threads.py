"""Threads: list, read whole, mark read and unread (contract §2, §5)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from gateway.api.openmail.message_view import ThreadMessages, ThreadView, message_view, thread_view
from gateway.api.openmail.offset_paging import MailPage, MailQuery, mail_page, window_of
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import changes, reads
from gateway.core.lookup import find_inbox
from gateway.core.mail import read_state, threads
from gateway.core.mail.attachment_text import read_attachments_of
from gateway.store.listing import Filter

table = Table("threads")

Doc = msgspec.Meta


class ThreadQuery(MailQuery, kw_only=True):
    is_read: Annotated[
        Literal["true", "false"] | None, Doc(description="only read threads, or only unread ones")
    ] = None


class ThreadMessagesQuery(msgspec.Struct, kw_only=True):
    include_unauthenticated: Annotated[
        Literal["true", "false"] | None, Doc(description="show mail that failed DMARC too")
    ] = None


class ThreadPatch(msgspec.Struct):
    """What of a thread to change."""

    is_read: bool


class Done(msgspec.Struct):
    """It was done."""

    ok: bool = True


@table.get("/inboxes/{inbox_id}/threads", access=reads("message_read"))
async def list_threads(call: Call[NoBody, ThreadQuery]) -> MailPage[ThreadView]:
    """List an inbox's threads, latest activity first.

    Threads of which every message is spam, trash or failed DMARC are left out; ``unauthenticatedCount`` says how many
    messages failed it. A thread is unread as long as a message of it is, also for a person who reads it in a mail
    client.
    """
    unread = None if call.query.is_read is None else call.query.is_read == "false"
    wanted = Filter(unread=unread, include=call.query.include)
    found = await threads.list_threads(
        call.core, call.scope, call.ids["inbox_id"], wanted, window_of(call.query)
    )
    return mail_page(found, lambda listed: thread_view(listed.thread))


@table.get("/threads/{thread_id}/messages", access=reads("message_read"))
async def get_thread_messages(call: Call[NoBody, ThreadMessagesQuery]) -> ThreadMessages:
    """Get a thread with its messages, oldest first; reading changes nothing.

    All of them, or the newest 500 of a longer thread; spam, trash and what failed DMARC are left out.
    """
    include = frozenset({"unauthenticated"} if call.query.include_unauthenticated == "true" else ())
    listed, found = await threads.get_thread(
        call.core, call.scope, None, call.ids["thread_id"], include=include
    )
    thread = listed.thread
    inbox = await call.core.store.read(lambda tx: find_inbox(tx, call.scope, thread.inbox_id))
    files = await read_attachments_of(call.core, found.rows)
    return ThreadMessages(
        thread_id=thread.public_id,
        subject=thread.subject,
        is_read=not thread.unread,
        data=[message_view(one, files[one.message.id], inbox, call.public_url) for one in found.rows],
    )


@table.patch("/threads/{thread_id}", access=changes("message_update", test="own"))
async def update_thread(call: Call[ThreadPatch, NoQuery]) -> Done:
    """Mark a thread read or unread: all its messages, or the last one that came in."""
    await read_state.mark_thread(call.core, call.scope, call.ids["thread_id"], read=call.body.is_read)
    return Done()
