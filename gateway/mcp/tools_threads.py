"""Conversations: listing threads, reading one whole."""

from __future__ import annotations

from typing import Annotated, Any

from gateway.api.times import to_seconds
from gateway.core.access import reads
from gateway.core.mail import threads
from gateway.mcp.arguments import Doc, Id, InboxId, Page, bounded, window
from gateway.mcp.mail_view import THREAD_CHARACTERS, body_of, whole
from gateway.mcp.resolve import inbox_of, thread_of
from gateway.mcp.toolbox import Answer, Arguments, Call, Toolbox
from gateway.mcp.untrusted_text import Fence, one_line
from gateway.records.ids import public_id
from gateway.records.mail import ListedThread, Mail
from gateway.store.listing import Filter

box = Toolbox()

_MESSAGES = 50
_LEAST = 300


class ListThreads(Arguments):
    inbox_id: InboxId = None
    limit: Annotated[int, bounded("How many threads (default 10).", 1, 50)] = 10
    page: Page = 1
    unread_only: Annotated[bool, Doc(description="Only threads with an unread message (default false).")] = (
        False
    )


@box.tool("List threads", access=reads("message_read"), read_only=True)
async def list_threads(call: Call[ListThreads]) -> Answer:
    """List the conversations of an inbox, latest activity first."""
    args = call.args
    inbox = await inbox_of(call, args.inbox_id)
    wanted = window(args.limit, args.page)
    found = await threads.list_threads(
        call.core, call.scope, inbox.id, Filter(unread=True if args.unread_only else None), wanted
    )
    page = wanted.offset // wanted.limit + 1
    following = page + 1 if wanted.offset + len(found.rows) < found.total else None
    fence = Fence()
    data: dict[str, Any] = {
        "threads": [_thread(listed) for listed in found.rows],
        "page": page,
        "total": found.total,
        "next_page": following,
        "notice": fence.notice,
    }
    head = f"Threads in {inbox.address}"
    if not found.rows:
        return Answer(f"{head}: none." if page == 1 else f"{head}: no more on page {page}.", data)
    lines = [f"{head}: {len(found.rows)} of {found.total}, latest activity first."]
    if following:
        lines.append(f"list_threads with page={following} shows older ones.")
    listed = "\n".join(
        f"{number}. {one['id']} ({one['last_message_at']}; {one['message_count']} messages"
        f"{'; unread' if one['unread'] else ''}) {one['untrusted']['subject'] or '(no subject)'}"
        for number, one in enumerate(data["threads"], wanted.offset + 1)
    )
    return Answer("\n".join([*lines, fence.notice, fence.around(listed)]), data)


class ReadThread(Arguments):
    thread_id: Annotated[Id, Doc(description="Id of the thread, as list_threads or a message shows it.")]
    inbox_id: InboxId = None


@box.tool("Read a thread", access=reads("message_read"), read_only=True)
async def read_thread(call: Call[ReadThread]) -> Answer:
    """Read a conversation, oldest message first: of each what is new in it, without the quoted history."""
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
    cut = [data["id"] for _, data in parts if data["text_next"] is not None]
    tail = [f"Cut short: {', '.join(cut)}; read_message shows each whole."] if cut else []
    data = {"thread": _thread(listed), "messages": [data for _, data in parts], "notice": fence.notice}
    return Answer("\n".join([head, fence.notice, *(text for text, _ in parts), *tail]), data)


def _shares(mail: list[Mail]) -> list[int]:
    """How much of each body is shown: whole while all fit, else the newest first, and of each a little."""
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
        "id": thread.public_id,
        "inbox_id": public_id("inb", thread.inbox_id),
        "message_count": thread.shown_count,
        "last_message_at": to_seconds(thread.timestamp),
        "unread": "unread" in listed.labels,
        "untrusted": {"subject": one_line(thread.subject)},
    }
