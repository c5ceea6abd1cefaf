"""Messages: listing and reading. Answers are message rows (see ``store.models``) with ``labels`` added.

Deleting and labelling go to the mail server first: see ``labels_change`` and ``removal``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gateway.core.context import Core
from gateway.core.errors import Invalid, NotFound
from gateway.core.lookup import find_inbox, find_message, find_message_id, require
from gateway.core.mail.filter_sql import message_conditions, reach_condition
from gateway.core.mail.server_copy import parse_whole, whole_message
from gateway.records.inboxes import Inbox
from gateway.store.engine import Row, Tx
from gateway.store.labels import HIDDEN
from gateway.store.listing import NEAR, Filter, Listing, Window, cut, keyset
from gateway.store.queries.inboxes import inbox_ids_in_reach
from gateway.store.row_counts import total
from gateway.store.scope import Scope

ITEM = (
    "id, seq, number, organization_id, inbox_id, thread_id, direction, rfc_message_id, from_json, from_email, "
    "reply_to_json, to_json, cc_json, bcc_json, subject, preview, in_reply_to, references_json, "
    "attachments_json, size, timestamp, status, seen, hidden, auto_submitted, hidden_text, test, created_at, "
    "updated_at"
)
WHOLE = (
    "SELECT message.*, message_body.text, message_body.html, message_body.extracted_text, "
    "message_body.extracted_html, message_body.one_time_code, message_body.one_time_link FROM message "
    "LEFT JOIN message_body ON message_body.message_id = message.id "
    "WHERE "
)
TEXTS = ("text", "html", "extracted_text", "extracted_html", "one_time_code", "one_time_link")
MAX_BATCH = 100


def allowed(scope: Scope, wanted: Filter) -> Filter:
    """The filter without hidden labels this key may not see (permissions ``label_*_read``)."""
    if scope.permissions is None:
        return wanted
    may = {label for label in HIDDEN if scope.allows(f"label_{label}_read")}
    if any(label in HIDDEN and label not in may for label in wanted.labels):
        for label in wanted.labels:
            if label in HIDDEN:
                require(scope, f"label_{label}_read")
    return replace(wanted, include=wanted.include & may)


def add_labels(tx: Tx, rows: Sequence[Row]) -> None:
    """Give each row its sorted ``labels``, with one query."""
    if not rows:
        return
    by_id: dict[str, list[str]] = {}
    for row in rows:
        row["labels"] = by_id[row["id"]] = []
    marks = ", ".join("?" * len(by_id))
    for one in tx.rows(
        f"SELECT message_id, label FROM label WHERE message_id IN ({marks}) ORDER BY label",  # noqa: S608
        *by_id,
    ):
        by_id[one["message_id"]].append(one["label"])


def add_bodies(tx: Tx, rows: Sequence[Row]) -> None:
    """Give each row the texts that the index holds of it (None when it holds none), with one query."""
    by_id = {row["id"]: row for row in rows}
    for row in rows:
        row.update(dict.fromkeys(TEXTS))
    if by_id:
        marks = ", ".join("?" * len(by_id))
        for one in tx.rows(f"SELECT * FROM message_body WHERE message_id IN ({marks})", *by_id):  # noqa: S608
            by_id[one["message_id"]].update({name: one[name] for name in TEXTS})


async def list_messages(
    core: Core, scope: Scope, inbox_ref: str | None, wanted: Filter, window: Window, *, bodies: bool = False
) -> Listing[Row]:
    """Messages of an inbox (or with None of every inbox in reach), newest first unless ``ascending``.

    ``bodies``: with the texts that the index holds. Raises NotFound, Forbidden.
    """
    require(scope, "message_read")
    wanted = allowed(scope, wanted)

    def read(tx: Tx) -> Listing[Row]:
        inbox = find_inbox(tx, scope, inbox_ref) if inbox_ref is not None else None
        where, args, ids = reach(tx, scope, inbox, "message")
        more, values = message_conditions(tx, wanted, inbox.id if inbox else None)
        where, args = where + more, [*args, *values]
        position, at, order = keyset(window, "timestamp", "seq")
        rows = tx.rows(
            f"SELECT {ITEM} FROM message WHERE {where}{position} ORDER BY {order} LIMIT ? OFFSET ?",  # noqa: S608
            *args,
            *at,
            window.limit + 1,
            0 if window.position else window.offset,
        )
        rows, following = cut(rows, window, "timestamp", "seq")
        add_labels(tx, rows)
        if bodies:
            add_bodies(tx, rows)
        if replace(wanted, direction=None).plain:
            count = _total(tx, wanted, ids)
        else:
            count = tx.value(f"SELECT count(*) FROM message WHERE {where}", *args)  # noqa: S608
        return Listing(rows, count, following, unauthenticated(tx, scope, ids))

    short = inbox_ref is not None and window.offset < NEAR and replace(wanted, direction=None).plain
    return await (core.store.glance(read) if short else core.store.read(read))


def unauthenticated(tx: Tx, scope: Scope, inbox_ids: Sequence[str]) -> int:
    """How many messages of these inboxes failed DMARC; 0 for a key that may not see them."""
    if not scope.allows("label_unauthenticated_read"):
        return 0
    return total(tx, "dmarc_fail", inbox_ids, hidden=True)


def _total(tx: Tx, wanted: Filter, ids: Sequence[str]) -> int:
    """The kept total of a list that only its direction narrows."""
    hidden = bool(wanted.shown)
    if wanted.direction == "inbound":
        return total(tx, "inbound", ids, hidden=hidden)
    count = total(tx, "message", ids, hidden=hidden)
    return count - total(tx, "inbound", ids, hidden=hidden) if wanted.direction else count


def reach(tx: Tx, scope: Scope, inbox: Inbox | None, table: str) -> tuple[str, list[object], list[str]]:
    """(condition, parameters, inbox ids) of the rows of ``table`` that a list may show."""
    if inbox is not None:
        return f"{table}.inbox_id = ?", [inbox.id], [inbox.id]
    ids = inbox_ids_in_reach(tx, scope)
    if scope.kind == "organization":
        return f"{table}.organization_id = ?", [scope.organization], ids
    sql, args = reach_condition(f"{table}.inbox_id", ids)
    return sql, args, ids


async def get_message(core: Core, scope: Scope, inbox_ref: str | None, message_ref: str) -> Row:
    """One message with ``labels`` and its four bodies; what was cut for the index is read from the server.

    ``inbox_ref`` None: of any inbox in reach, by its id (not by its Message-ID, which several inboxes may have).
    Raises NotFound, Forbidden, Unavailable (only when the mail server is needed and down).
    """
    require(scope, "message_read")

    def read(tx: Tx) -> tuple[Inbox, Row]:
        if inbox_ref is None:
            known = find_message(tx, scope, message_ref)
            inbox, message_id = find_inbox(tx, scope, known["inbox_id"]), known["id"]
        else:
            inbox = find_inbox(tx, scope, inbox_ref)
            message_id = find_message_id(tx, inbox, message_ref)
        row = tx.row(WHOLE + "message.id = ?", message_id)
        if row is None:
            raise NotFound("the message was deleted just now")
        add_labels(tx, [row])
        see(scope, row)
        return inbox, row

    inbox, row = await core.store.glance(read)
    if row["truncated"]:
        await fill_bodies(core, inbox, row)
    return row


async def get_indexed(core: Core, message_id: str) -> Row | None:
    """A message by its ULID with ``labels`` and the bodies the index holds. For callers that were let in."""

    def read(tx: Tx) -> Row | None:
        row = tx.row(WHOLE + "message.id = ?", message_id)
        if row is not None:
            add_labels(tx, [row])
        return row

    return await core.store.read(read)


def see(scope: Scope, row: Row) -> None:
    """Raise NotFound for a message that bears a hidden label this key may not read."""
    if scope.permissions is None:
        return
    for label in HIDDEN & set(row["labels"]):
        if not scope.allows(f"label_{label}_read"):
            raise NotFound("there is no such message for this key", fix=f"it needs label_{label}_read")


async def fill_bodies(core: Core, inbox: Inbox, row: Row) -> None:
    """Replace the bodies that were cut for the index by the whole ones, from the mail server."""
    raw = await whole_message(core, inbox, row["id"])
    parsed = await parse_whole(core, raw)
    for name in ("text", "html", "extracted_text", "extracted_html"):
        whole, cut_one = getattr(parsed, name), row[name]
        if whole is not None and len(whole) >= len(cut_one or ""):
            row[name] = whole


async def get_messages(
    core: Core,
    scope: Scope,
    inbox_ref: str,
    refs: Sequence[str],
    *,
    bodies: bool = False,
    strict: bool = False,
) -> list[Row]:
    """Several messages in the order asked, unknown ones left out (NotFound when ``strict``).

    Raises Invalid over ``MAX_BATCH``.
    """
    require(scope, "message_read")
    if not 1 <= len(refs) <= MAX_BATCH:
        raise Invalid(f"message_ids takes 1 to {MAX_BATCH} ids", field="message_ids")

    def read(tx: Tx) -> list[Row]:
        inbox = find_inbox(tx, scope, inbox_ref)
        found: dict[str, Row] = {}
        for ref in refs:
            try:
                message_id = find_message_id(tx, inbox, ref)
            except NotFound:
                if strict:
                    raise
                continue
            if message_id not in found:
                one = (
                    tx.row(WHOLE + "message.id = ?", message_id)
                    if bodies
                    else tx.row("SELECT * FROM message WHERE id = ?", message_id)
                )
                if one is not None:
                    found[message_id] = one
        rows = list(found.values())
        add_labels(tx, rows)
        kept = []
        for row in rows:
            try:
                see(scope, row)
            except NotFound:
                if strict:
                    raise
                continue
            kept.append(row)
        return kept

    return await core.store.read(read)
