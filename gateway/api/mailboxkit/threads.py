"""Threads: the conversations of an inbox, by References and In-Reply-To (contract, "Endpoints")."""

from __future__ import annotations

import msgspec

from gateway.api.mailboxkit.file_links import file_links
from gateway.api.mailboxkit.ids import shown_ulid
from gateway.api.mailboxkit.listing import Data, MailQuery, MailRows, listed_mail, window_of
from gateway.api.mailboxkit.message_view import MessageView, message_view
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.api.times import to_seconds
from gateway.core.access import reads
from gateway.core.mail import threads
from gateway.records.ids import number_of
from gateway.records.mail import Thread
from gateway.store.listing import Filter

table = Table("threads")


class ThreadView(msgspec.Struct):
    """A conversation of one inbox."""

    id: int
    ulid: str
    inbox_id: int
    subject: str
    message_count: int
    last_message_at: str
    created_at: str


class WholeThread(ThreadView):
    """A thread with its messages, oldest first."""

    messages: list[MessageView]


@table.get("/inboxes/{inbox_id}/threads", access=reads("message_read"))
async def list_threads(call: Call[NoBody, MailQuery]) -> MailRows[ThreadView]:
    """List an inbox's threads, latest activity first. Spam, trash and messages that failed DMARC are left out."""
    window = window_of(call.query)
    found = await threads.list_threads(
        call.core, call.scope, call.ids["inbox_id"], Filter(include=call.query.include), window
    )
    return listed_mail(call, window, found, lambda listed: thread_view(listed.thread))


@table.get("/threads/{thread_id}", access=reads("message_read"))
async def get_thread(call: Call[NoBody, NoQuery]) -> Data[WholeThread]:
    """Get a thread with its messages, oldest first; of a longer thread, the newest 500 messages."""
    thread, found = await threads.get_thread(
        call.core, call.scope, None, call.ids["thread_id"], include=frozenset()
    )
    links = file_links(call)
    shown = [message_view(one, links) for one in found.rows]
    return Data(WholeThread(**msgspec.structs.asdict(thread_view(thread.thread)), messages=shown))


def thread_view(thread: Thread) -> ThreadView:
    """A thread."""
    return ThreadView(
        id=number_of(thread.id),
        ulid=shown_ulid(thread.id),
        inbox_id=number_of(thread.inbox_id),
        subject=thread.subject,
        message_count=thread.shown_count,
        last_message_at=to_seconds(thread.timestamp),
        created_at=to_seconds(thread.created_at),
    )
