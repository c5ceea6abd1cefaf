"""Threads: listing, reading and deleting conversations."""

from __future__ import annotations

from typing import Annotated, Any

from gateway.api.times import to_seconds
from gateway.core.access import changes, reads
from gateway.core.mail import delete as removal
from gateway.core.mail import threads
from gateway.mcp import toolbox
from gateway.mcp.arguments import Doc, InboxId, Limit, Page, ThreadId, UnlistedInboxId, window
from gateway.mcp.mail_view import THREAD_CHARACTERS, body_of, whole
from gateway.mcp.resolve import inbox_of, thread_of
from gateway.mcp.schema import UNLISTED
from gateway.mcp.toolbox import Answer, Arguments, Call, Result, Toolbox, page_numbers
from gateway.mcp.untrusted_text import Fence, one_line
from gateway.records.ids import INBOX_ID
from gateway.records.mail import ListedThread, Mail
from gateway.store.listing import Filter

box = Toolbox()

_MESSAGES = 50
_LEAST = 300


class ListThreads(Arguments):
    inbox_id: InboxId = None
    limit: Limit = 10
    page: Page = 1
    unread_only: Annotated[bool, Doc(description="Only unread.")] = False


class ThreadPage(toolbox.Page, kw_only=True):
    threads: list[dict[str, Any]]


@box.tool("List threads", access=reads("message_read"), read_only=True)
async def list_threads(call: Call[ListThreads]) -> Answer[ThreadPage]:
    """List the conversations of an inbox, latest activity first."""
    args = call.args
    inbox = await inbox_of(call, args.inbox_id)
    wanted = window(args.limit, args.page)
    found = await threads.list_threads(
        call.core, call.scope, inbox.id, Filter(unread=True if args.unread_only else None), wanted
    )
    fence = Fence()
    page = ThreadPage(
        threads=[_thread(listed) for listed in found.rows],
        notice=fence.notice,
        **page_numbers(found, wanted),
    )
    head = f"Threads in {inbox.address}"
    if not found.rows:
        return Answer(f"{head}: none." if page.page == 1 else f"{head}: no more on page {page.page}.", page)
    lines = [f"{head}: {len(found.rows)} of {found.total}, latest activity first."]
    if page.next_page:
        lines.append(f"list_threads with page={page.next_page} shows older ones.")
    listed = "\n".join(
        f"{number}. {one['thread_id']} ({one['last_message_at']}; {one['message_count']} messages"
        f"{'; unread' if one['unread'] else ''}) {one['untrusted']['subject'] or '(no subject)'}"
        for number, one in enumerate(page.threads, wanted.offset + 1)
    )
    return Answer("\n".join([*lines, fence.notice, fence.around(listed)]), page)


class ReadThread(Arguments):
    thread_id: ThreadId
    inbox_id: UnlistedInboxId = None


class ThreadRead(Result):
    """A thread with its messages, oldest first."""

    thread: dict[str, Any]
    messages: list[dict[str, Any]]
    notice: Annotated[str, UNLISTED]


@box.tool("Read thread", access=reads("message_read"), read_only=True)
async def read_thread(call: Call[ReadThread]) -> Answer[ThreadRead]:
    """Read a conversation, oldest message first, without quoted history."""
    thread = await thread_of(call, call.args.inbox_id, call.args.thread_id)
    listed, found = await threads.get_thread(
        call.core, call.scope, thread.inbox_id, thread.id, include=frozenset()
    )
    shown = found.rows[-_MESSAGES:]
    fence = Fence()
    parts = [
        whole(one, fence, full=False, most=most) for one, most in zip(shown, _shares(shown), strict=True)
    ]
    head = f"Thread {thread.public_id}: {len(shown)} of {found.total} messages, oldest first."
    if len(shown) < len(found.rows):
        head += " Older ones are left out; search_messages finds them."
    cut = [message["message_id"] for _, message in parts if message["text_next"] is not None]
    tail = [f"Cut: {', '.join(cut)}; read_message shows the whole body."] if cut else []
    messages = [message for _, message in parts]
    read = ThreadRead(thread=_thread(listed), messages=messages, notice=fence.notice)
    return Answer("\n".join([head, fence.notice, *(text for text, _ in parts), *tail]), read)


class DeleteThread(Arguments):
    thread_id: ThreadId


class DeletedThread(Result):
    thread_id: str
    deleted: Annotated[bool, UNLISTED]


@box.tool("Delete thread", access=changes("message_delete", test="own"), destructive=True)
async def delete_thread(call: Call[DeleteThread]) -> Answer[DeletedThread]:
    """Delete a conversation for good."""
    thread = await thread_of(call, None, call.args.thread_id)
    await removal.delete_thread(call.core, call.scope, thread.inbox_id, thread.id)
    deleted = DeletedThread(thread_id=thread.public_id, deleted=True)
    return Answer(f"Thread {thread.public_id} and its messages are deleted.", deleted)


def _shares(mail: list[Mail]) -> list[int]:
    """How many characters of each body to show: the newest messages whole while they fit, of each a minimum."""
    left = THREAD_CHARACTERS
    shares = []
    for one in reversed(mail):
        most = max(_LEAST, min(len(body_of(one.texts, full=False)), left))
        shares.append(most)
        left -= most
    return shares[::-1]


def _thread(listed: ListedThread) -> dict[str, Any]:
    thread = listed.thread
    return {
        "thread_id": thread.public_id,
        "inbox_id": INBOX_ID.public(thread.inbox_id),
        "message_count": thread.shown_count,
        "last_message_at": to_seconds(thread.timestamp),
        "unread": "unread" in listed.labels,
        "untrusted": {"subject": one_line(thread.subject)},
    }
