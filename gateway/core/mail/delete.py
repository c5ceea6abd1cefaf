"""Deleting messages and threads: expunged on the mail server first (RFC 4315 UID EXPUNGE), then forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.core.context import Core
from gateway.core.errors import Conflict, Unavailable
from gateway.core.lookup import find_inbox, find_message_id, find_thread_and_inbox, require, require_own_test
from gateway.core.mail.server_copy import on_server, open_folder, search_copies
from gateway.records.folders import Copy
from gateway.records.ids import MessageId, ThreadId, now_us
from gateway.records.inboxes import Inbox
from gateway.store import index, threads
from gateway.store.queries.locations import copies_of, put_removed_location
from gateway.store.queries.messages import items_of_thread, unscoped_message_item
from gateway.store.queries.outbox import is_being_sent
from gateway.store.queries.reviews import is_held
from gateway.store.scope import Scope
from gateway.store.transaction import Tx
from mailserver.imap import Client


async def delete_messages(core: Core, scope: Scope, inbox_ref: str, refs: Sequence[str]) -> int:
    """Delete every copy of messages; returns of how many. Raises NotFound, Forbidden, Unavailable (nothing changed)."""
    require(scope, "message_delete")

    def read(tx: Tx) -> tuple[Inbox, list[MessageId]]:
        inbox = find_inbox(tx, scope, inbox_ref)
        ids = list(dict.fromkeys(find_message_id(tx, inbox, ref) for ref in refs))
        if scope.test:
            found = [unscoped_message_item(tx, one) for one in ids]
            require_own_test(scope, [one for one in found if one is not None], "message")
        return inbox, ids

    inbox, ids = await core.store.read(read)
    await _delete(core, inbox, ids, None)
    return len(ids)


async def delete_thread(core: Core, scope: Scope, inbox_ref: str | None, thread_ref: str) -> None:
    """Delete a thread with all its messages; later mail that names it makes a new one."""
    require(scope, "message_delete")

    def read(tx: Tx) -> tuple[Inbox, ThreadId, list[MessageId]]:
        inbox, thread = find_thread_and_inbox(tx, scope, inbox_ref, thread_ref)
        held = items_of_thread(tx, thread.id)
        require_own_test(scope, held, "thread")
        return inbox, thread.id, [one.id for one in held]

    inbox, thread_id, ids = await core.store.read(read)
    await _delete(core, inbox, ids, thread_id)


async def _delete(core: Core, inbox: Inbox, ids: Sequence[MessageId], thread_id: ThreadId | None) -> None:
    def read(tx: Tx) -> tuple[list[Copy], list[str]]:
        copies: list[Copy] = []
        unindexed: list[str] = []  # Message-IDs
        for message_id in ids:
            found = copies_of(tx, message_id)
            copies += found
            if found:
                continue
            if is_held(tx, message_id):
                raise Conflict(
                    "the message is held until a person decides about it",
                    code="message_held",
                    fix="have its review rejected first (GET /reviews lists them)",
                )
            if is_being_sent(tx, message_id):
                # its Sent copy would come back; it is there within moments
                raise Unavailable("the message is being sent; delete it in a moment", retry_after=1)
            message = unscoped_message_item(tx, message_id)
            if message and message.rfc_message_id:
                unindexed.append(message.rfc_message_id)
        return copies, unindexed

    copies, unindexed = await core.store.read(read)
    found: list[Copy] = []
    if copies or unindexed:

        def work(client: Client) -> list[Copy]:
            found = [copy for rfc in unindexed for copy in search_copies(client, rfc)]
            expunge(client, [*copies, *found])
            return found

        found = await on_server(core, inbox.address, work)

    def write(tx: Tx) -> None:
        for copy in found:
            put_removed_location(tx, inbox.id, copy.folder, copy.uidvalidity, copy.uid)
        touched = {index.delete_message(tx, message_id) for message_id in ids}
        for thread in touched:
            if thread == thread_id and thread is not None:
                threads.bury(tx, thread)
            if thread is not None:
                threads.refresh(tx, thread, now_us())

    await core.store.write(write)


def expunge(client: Client, copies: Iterable[Copy]) -> None:
    """Delete for good, folder by folder; copies whose folder was made anew since are left alone."""
    by_folder: dict[tuple[str, int], list[int]] = {}
    for copy in copies:
        by_folder.setdefault((copy.folder, copy.uidvalidity), []).append(copy.uid)
    for (folder, validity), uids in by_folder.items():
        if open_folder(client, folder, validity):
            client.add_flags(uids, [b"\\Deleted"], silent=True)
            client.uid_expunge(uids)
