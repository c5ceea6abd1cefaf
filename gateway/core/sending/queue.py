"""The queue: accepted messages that are not settled, tried now or given up by hand.

Every key sees what waits of its own inboxes; the operator's key sees everything, and it alone changes anything.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NoReturn

from gateway.core.context import Core
from gateway.core.domains.records import hostname_of
from gateway.core.errors import Conflict, Forbidden, NotFound
from gateway.core.lookup import find_reachable_inbox, require
from gateway.outbox import by_hand
from gateway.outbox.queue import FAR
from gateway.store.engine import Row, Tx
from gateway.store.ids import own_message_ulid, parse_id
from gateway.store.listing import Listing, Window, cut, keyset
from gateway.store.queries.inboxes import unscoped_inbox_addresses
from gateway.store.scope import Scope

_COLUMNS = "id, inbox_id, mail_from, message_id, size, state, next_at, attempts, claimed_until, created_at"


async def list_queue(core: Core, scope: Scope, inbox_ref: str | None, window: Window) -> Listing[Row]:
    """The messages that wait (or are being sent), each with ``inbox`` (its address), ``own`` (sent by the API),
    ``subject`` and ``recipients``. Raises NotFound, Forbidden."""
    require(scope, "message_read")

    def read(tx: Tx) -> Listing[Row]:
        where, args = _reach(tx, scope, inbox_ref)
        where, args = f"next_at < ? AND {where}", [FAR, *args]
        total = int(tx.value(f"SELECT count(*) FROM outbox WHERE {where}", *args))  # noqa: S608
        more, values, order = keyset(window, "created_at", "id")
        rows = tx.rows(
            f"SELECT {_COLUMNS} FROM outbox WHERE {where}{more} ORDER BY {order} LIMIT ? OFFSET ?",  # noqa: S608
            *args,
            *values,
            window.limit + 1,
            window.offset,
        )
        rows, following = cut(rows, window, "created_at")
        _dress(tx, rows)
        return Listing(rows, total, following)

    return await core.store.read(read)


async def get(core: Core, scope: Scope, ref: str) -> Row:
    """One message of the queue, by ``out_…`` or ``msg_…``, as ``list_queue`` has it. Raises NotFound."""
    require(scope, "message_read")
    return await core.store.read(lambda tx: _find(tx, scope, ref))


async def retry(core: Core, scope: Scope, ref: str) -> Row:
    """Have a waiting message tried now. One that is being sent is left alone. Raises NotFound, Forbidden."""
    _operator_only(scope)

    def write(tx: Tx) -> Row:
        row = _find(tx, scope, ref)
        try:
            by_hand.make_due(tx, row["id"])
        except by_hand.NotNow as refused:
            if refused.why != "sending":
                _refuse(ref, refused)
        tx.after_commit.append(core.outbox_bell.ring)
        return _find(tx, scope, ref)

    return await core.store.write(write)


async def retry_all(core: Core, scope: Scope, inbox_ref: str | None) -> int:
    """The same for everything that waits, of one inbox or of all; answers how many were put forward."""
    _operator_only(scope)

    def write(tx: Tx) -> int:
        count = by_hand.make_all_due(tx, *_reach(tx, scope, inbox_ref))
        tx.after_commit.append(core.outbox_bell.ring)
        return count

    return await core.store.write(write)


async def drop(core: Core, scope: Scope, ref: str) -> tuple[Row, list[str]]:
    """Give up on the recipients that wait; answers the message as it was and their addresses.

    Raises NotFound, Forbidden, and Conflict for what is being sent, or whose last attempt is in doubt.
    """
    _operator_only(scope)
    hostname = hostname_of(core.settings)

    def write(tx: Tx) -> tuple[Row, list[str]]:
        row = _find(tx, scope, ref)
        try:
            dropped = by_hand.give_up(tx, core.events, row["id"], hostname, core.outbox_bell.ring)
        except by_hand.NotNow as refused:
            _refuse(ref, refused)
        return row, dropped

    return await core.store.write(write)


def _operator_only(scope: Scope) -> None:
    if not scope.operator:
        raise Forbidden(
            "only the operator of this server changes the queue",
            fix="run `postern queue` on the gateway's machine",
        )


def _reach(tx: Tx, scope: Scope, inbox_ref: str | None) -> tuple[str, list[object]]:
    """(condition, parameters) of the rows of ``outbox`` that a key may see."""
    if inbox_ref is not None:
        return "inbox_id = ?", [find_reachable_inbox(tx, scope, inbox_ref).id]
    if scope.operator:
        return "1 = 1", []
    where, args = scope.inbox_where("inbox")
    return f"inbox_id IN (SELECT id FROM inbox WHERE {where})", args  # noqa: S608


def _find(tx: Tx, scope: Scope, ref: str) -> Row:
    wanted = parse_id("out", ref) or parse_id("msg", ref)
    where, args = _reach(tx, scope, None)
    row = tx.row(f"SELECT {_COLUMNS} FROM outbox WHERE id = ? AND {where}", wanted or "", *args)  # noqa: S608
    if row is None or row["state"] != "queued":
        _refuse(ref, by_hand.NotNow("gone"))
    _dress(tx, [row])
    return row


def _dress(tx: Tx, rows: Sequence[Row]) -> None:
    """Give each row its inbox's address, its subject and its recipients, with one query each."""
    if not rows:
        return
    by_id = {row["id"]: row for row in rows}
    marks = _marks(by_id)
    for row in rows:
        row.update(
            inbox=None, own=own_message_ulid(row["message_id"]) == row["id"], subject=None, recipients=[]
        )
    addresses = unscoped_inbox_addresses(tx, {row["inbox_id"] for row in rows})
    for row in rows:
        row["inbox"] = addresses.get(row["inbox_id"])
    for one in tx.rows(f"SELECT id, subject FROM message WHERE id IN ({marks})", *by_id):  # noqa: S608
        by_id[one["id"]]["subject"] = one["subject"]
    for one in tx.rows(
        "SELECT outbox_id, address, role, state, code, status, diagnostic, remote, attempts, updated_at "  # noqa: S608
        f"FROM outbox_recipient WHERE outbox_id IN ({marks}) ORDER BY id",
        *by_id,
    ):
        row = by_id[one.pop("outbox_id")]
        if one["role"] == "sent":  # its own address is the mail server's secret, and replies name it
            secret, one["address"] = one["address"], row["inbox"] or ""
            one["diagnostic"] = (one["diagnostic"] or "").replace(secret, one["address"])
        row["recipients"].append(one)


def _marks(values: Collection[str]) -> str:
    return ", ".join("?" * len(values))


def _refuse(ref: str, refused: by_hand.NotNow) -> NoReturn:
    name = ref[:100]
    if refused.why == "sending":
        raise Conflict(f"{name} is being sent right now", fix="look at the queue again in a moment")
    if refused.why == "in doubt":
        raise Conflict(
            f"whether the last attempt of {name} arrived is not known: the gateway or the mail server ended during it",
            fix="have it tried first (postern queue retry): that finds out once the mail server can be asked",
        )
    if refused.why == "only the copy":
        raise Conflict(
            f"every recipient of {name} is settled; only the copy for the Sent folder waits",
            fix="it is filed once the mail server takes it; /ready tells how that is",
        )
    raise NotFound(
        f"{name!r} is not in the queue: it is settled, or it never was", fix="GET /queue lists what waits"
    )
