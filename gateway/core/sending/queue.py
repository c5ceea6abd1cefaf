"""The queue: accepted messages that are not settled, tried now or given up by hand.

Every key sees what waits of its own inboxes; the operator's key sees everything, and it alone changes anything.
"""

from __future__ import annotations

from typing import NoReturn

from gateway.core.context import Core
from gateway.core.domains.records import hostname_of
from gateway.core.errors import Conflict, Forbidden, NotFound
from gateway.core.lookup import find_reachable_inbox, require
from gateway.outbox import by_hand
from gateway.records.ids import MESSAGE_ID, OUTBOX_ID, InboxId
from gateway.store.listing import Listing, Window
from gateway.store.queries import outbox
from gateway.store.queries.audit import note_action
from gateway.store.queries.outbox import WaitingMessage
from gateway.store.scope import Scope
from gateway.store.transaction import Tx


async def list_queue(
    core: Core, scope: Scope, inbox_ref: str | None, window: Window
) -> Listing[WaitingMessage]:
    """The messages that wait (or are being sent). Raises NotFound, Forbidden."""
    require(scope, "message_read")

    def read(tx: Tx) -> Listing[WaitingMessage]:
        return outbox.list_waiting(tx, scope, window, _inbox(tx, scope, inbox_ref))

    return await core.store.read(read)


async def get(core: Core, scope: Scope, ref: str) -> WaitingMessage:
    """One message of the queue, by ``out_…`` or ``msg_…``. Raises NotFound."""
    require(scope, "message_read")
    return await core.store.read(lambda tx: _find(tx, scope, ref))


async def retry(core: Core, scope: Scope, ref: str) -> WaitingMessage:
    """Have a waiting message tried now. One that is being sent is left alone. Raises NotFound, Forbidden, and
    Conflict for one that is paused."""
    _operator_only(scope)

    def write(tx: Tx) -> WaitingMessage:
        found = _find(tx, scope, ref)
        if found.parked:
            raise Conflict(
                f"{ref[:100]} is paused",
                fix="`postern pause --list` shows by whom; `postern resume` sends it",
            )
        try:
            by_hand.make_due(tx, found.entry.id)
        except by_hand.NotNow as refused:
            if refused.why != "sending":
                _refuse(ref, refused)
        tx.after_commit.append(core.outbox_wake.set)
        found = _find(tx, scope, ref)
        _note(tx, found, "retried")
        return found

    return await core.store.write(write)


async def retry_all(core: Core, scope: Scope, inbox_ref: str | None) -> int:
    """The same for everything that waits, of one inbox or of all; answers how many were put forward."""
    _operator_only(scope)

    def write(tx: Tx) -> int:
        count = outbox.make_all_due(tx, scope, _inbox(tx, scope, inbox_ref))
        note_action(tx, "queue", inbox_ref or "all", "retried", facts={"messages": count})
        tx.after_commit.append(core.outbox_wake.set)
        return count

    return await core.store.write(write)


async def drop(core: Core, scope: Scope, ref: str) -> tuple[WaitingMessage, list[str]]:
    """Give up on the recipients that wait; answers the message as it was and their addresses.

    Raises NotFound, Forbidden, and Conflict for what is being sent, or whose last attempt is in doubt.
    """
    _operator_only(scope)
    hostname = hostname_of(core.settings)

    def write(tx: Tx) -> tuple[WaitingMessage, list[str]]:
        found = _find(tx, scope, ref)
        try:
            dropped = by_hand.give_up(tx, core.events, found.entry.id, hostname, core.outbox_wake.set)
        except by_hand.NotNow as refused:
            _refuse(ref, refused)
        _note(tx, found, "dropped", {"recipients": len(dropped)})
        return found, dropped

    return await core.store.write(write)


def _note(tx: Tx, found: WaitingMessage, action: str, facts: dict[str, int] | None = None) -> None:
    organization = found.entry.organization_id
    note_action(tx, "message", found.public_id, action, organization=organization, facts=facts)


def _operator_only(scope: Scope) -> None:
    if not scope.operator:
        raise Forbidden(
            "only the operator of this server changes the queue",
            fix="run `postern queue` on the gateway's machine",
        )


def _inbox(tx: Tx, scope: Scope, ref: str | None) -> InboxId | None:
    return None if ref is None else find_reachable_inbox(tx, scope, ref).id


def _find(tx: Tx, scope: Scope, ref: str) -> WaitingMessage:
    found = outbox.waiting_message(tx, scope, OUTBOX_ID.parse(ref) or MESSAGE_ID.parse(ref))
    if found is None:
        _refuse(ref, by_hand.NotNow("gone"))
    return found


def _refuse(ref: str, refused: by_hand.NotNow) -> NoReturn:
    name = ref[:100]
    if refused.why == "sending":
        raise Conflict(f"{name} is being sent right now", fix="list the queue again in a moment")
    if refused.why == "in doubt":
        raise Conflict(
            f"whether the last attempt of {name} arrived is not known: the gateway or the mail server ended during it",
            fix="have it tried first (postern queue retry): that finds out once the mail server can be asked",
        )
    if refused.why == "only the copy":
        raise Conflict(
            f"every recipient of {name} is settled; only the copy for the Sent folder waits",
            fix="it is filed once the mail server takes it; /ready shows its state",
        )
    raise NotFound(
        f"{name!r} is not in the queue: it is settled, or it never was", fix="GET /queue lists what waits"
    )
