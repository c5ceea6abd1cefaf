"""Which thread several become when a message names messages of each.

Threads are what hangs together by the ids that messages name (RFC 5256, REFERENCES), whichever message comes first. A
message's root is the first id of its References, else of its In-Reply-To, else its own; a thread is called after the
root of its oldest message. So the same mail gives the same threads with the same ids in any order, and the one that
goes on when threads are joined is the older. Every root that messages of a thread have is kept (table ``thread_root``)
once there are several: the id that it gives a thread leads to the thread, also after a rebuild, and after the message
that joined two threads is deleted.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from gateway.records.ids import InboxId, ThreadId, number_of
from gateway.records.mail import Placed, ThreadRoot
from gateway.store.queries.thread_roots import (
    existing_threads,
    oldest_time,
    redirect,
    remove_thread,
    roots_with_ids,
    save_root,
)
from gateway.store.transaction import Tx


def join(
    tx: Tx, inbox_id: InboxId, own: ThreadId, root: str, found: Mapping[ThreadId, str], at: int
) -> tuple[ThreadRoot, Placed]:
    """Join the threads that a message connects; the row of the one that goes on may be missing.

    Args:
        own: the id that the message's ``root`` gives a thread.
        found: the threads of the ids that it names, and the root that each is called after.
        at: when it came or was sent, µs.

    Returns:
        The root that the thread is called after, and which threads became it.
    """
    roots = roots_with_ids(tx, {own, *found})
    if not roots and set(found) <= {own}:
        return _root(inbox_id, own, root, at), Placed(own)
    if own in roots and roots[own].current_id not in roots:  # it was part of a thread that nothing else names
        roots |= roots_with_ids(tx, {roots[own].current_id})
    before = dict(roots)
    for thread_id, its in found.items():
        if thread_id not in roots:
            roots[thread_id] = _root(inbox_id, thread_id, its, oldest_time(tx, thread_id))
    mine = roots.get(own) or _root(inbox_id, own, root, at)
    roots[own] = replace(mine, since=min(mine.since, at))
    first = min(roots.values(), key=lambda one: (one.since, one.thread_id))
    for one in roots.values():
        now = replace(one, current_id=first.thread_id)
        if now != before.get(one.thread_id):
            save_root(tx, now)
    others = {*found, *(one.current_id for one in before.values())} - {first.thread_id}
    return first, Placed(first.thread_id, _move(tx, others, first.thread_id))


def _move(tx: Tx, others: set[ThreadId], to: ThreadId) -> tuple[ThreadId, ...]:
    """Have threads be part of another; answers those that there were."""
    if not others:
        return ()
    there = existing_threads(tx, others)
    for one in sorted(others):
        redirect(tx, one, to)
    for one in there:
        remove_thread(tx, one)
    return tuple(there)


def _root(inbox_id: InboxId, thread_id: ThreadId, root: str, since: int) -> ThreadRoot:
    return ThreadRoot(thread_id, inbox_id, number_of(thread_id), root, since, thread_id)
