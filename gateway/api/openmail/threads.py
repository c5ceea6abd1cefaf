"""Threads: list, read whole, mark read and unread (contract §2, §5)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from gateway.api.openmail.message_view import ThreadMessages, ThreadView, message_view, thread_view
from gateway.api.openmail.offset_paging import MailPage, MailQuery, mail_page, window_of
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import changes, reads
from gateway.core.errors import Invalid, Missing
from gateway.core.lookup import find_inbox
from gateway.core.mail import read_state, threads
from gateway.core.mail.attachment_text import read_attachments_of
from gateway.records.inboxes import Inbox
from gateway.store.listing import Filter
from gateway.store.own_addresses import own_addresses
from gateway.store.transaction import Tx

table = Table("threads")

Doc = msgspec.Meta


class ThreadQuery(MailQuery, kw_only=True):
    is_read: Annotated[
        Literal["true", "false"] | None, Doc(description="only read threads, or only unread ones")
    ] = None
    camel_is_read: Annotated[Literal["true", "false"] | None, Doc(description="the same as is_read")] = (
        msgspec.field(name="isRead", default=None)
    )

    @property
    def read(self) -> bool | None:
        """Whether read threads are asked for; None: both kinds. Raises Invalid."""
        given = {one for one in (self.is_read, self.camel_is_read) if one is not None}
        if len(given) > 1:
            raise _contradiction()
        return given.pop() == "true" if given else None


class ThreadMessagesQuery(msgspec.Struct, kw_only=True):
    include_unauthenticated: Annotated[
        Literal["true", "false"] | None, Doc(description="show mail that failed DMARC too")
    ] = None


class ThreadPatch(msgspec.Struct):
    """What of a thread to change: one of the two spellings."""

    is_read: bool | None = None
    camel_is_read: bool | None = msgspec.field(name="isRead", default=None)

    @property
    def read(self) -> bool:
        """Whether the thread is to be read. Raises Missing, Invalid."""
        given = {one for one in (self.is_read, self.camel_is_read) if one is not None}
        if len(given) > 1:
            raise _contradiction()
        if not given:
            raise Missing("is_read")
        return given.pop()


def _contradiction() -> Invalid:
    return Invalid("is_read and isRead contradict each other", field="is_read", fix="give one of them")


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
    read = call.query.read
    wanted = Filter(unread=None if read is None else not read, include=call.query.include)
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

    def read(tx: Tx) -> tuple[Inbox, frozenset[str]]:
        inbox = find_inbox(tx, call.scope, thread.inbox_id)
        return inbox, own_addresses(tx, inbox, [one.message for one in found.rows])

    inbox, own = await call.core.store.read(read)
    files = await read_attachments_of(call.core, found.rows)
    return ThreadMessages(
        thread_id=thread.public_id,
        inbox_id=inbox.public_id,
        subject=thread.subject,
        is_read=not thread.unread,
        data=[message_view(one, files[one.message.id], inbox, own, call.public_url) for one in found.rows],
    )


@table.patch("/threads/{thread_id}", access=changes("message_update", test="own"))
async def update_thread(call: Call[ThreadPatch, NoQuery]) -> Done:
    """Mark a thread read or unread: all its messages, or the last one that came in."""
    await read_state.mark_thread(call.core, call.scope, call.ids["thread_id"], read=call.body.read)
    return Done()
