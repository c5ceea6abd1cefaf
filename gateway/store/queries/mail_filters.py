"""What a list of messages or threads is narrowed to, as conditions portable between SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gateway.records.ids import InboxId
from gateway.records.inboxes import Inbox
from gateway.store.json_columns import dump
from gateway.store.labels import HIDDEN
from gateway.store.like import containing
from gateway.store.listing import Filter
from gateway.store.queries.inboxes import inbox_ids_in_reach
from gateway.store.scope import Scope
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_FEW = 2000
Condition = tuple[str, list[object]]


class Reach(NamedTuple):
    """Which rows a list may show, as a condition and its parameters, and the ids of the inboxes they are of."""

    where: str
    args: list[object]
    inbox_ids: list[InboxId]


def reach(tx: Tx, scope: Scope, inbox: Inbox | None, table: str) -> Reach:
    """The rows of ``table`` of an inbox, or with None of every inbox that the key reaches."""
    if inbox is not None:
        return Reach(f"{table}.inbox_id = ?", [inbox.id], [inbox.id])
    ids = inbox_ids_in_reach(tx, scope)
    if scope.kind == "organization":
        return Reach(f"{table}.organization_id = ?", [scope.organization], ids)
    where, args = _one_of(f"{table}.inbox_id", ids)
    return Reach(where, args, ids)


def message_conditions(tx: Tx, wanted: Filter, inbox_id: InboxId | None, alias: str = "message") -> Condition:
    """Conditions on a message, each with a leading AND. ``inbox_id``: the one inbox that is listed."""
    where, args = hidden_condition(wanted.shown, alias)
    for label in dict.fromkeys(wanted.labels):
        more, values = _label(tx, label, inbox_id, alias)
        where, args = where + more, args + values
    if wanted.before is not None:
        where, args = f"{where} AND {alias}.timestamp < ?", [*args, wanted.before]
    if wanted.after is not None:
        where, args = f"{where} AND {alias}.timestamp > ?", [*args, wanted.after]
    for text in wanted.senders:
        where, args = f"{where} AND lower({alias}.from_json) LIKE ? ESCAPE '!'", [*args, _in_json(text)]
    for text in wanted.recipients:
        like = f"lower({alias}.%s) LIKE ? ESCAPE '!'"
        where += " AND (" + " OR ".join(like % name for name in ("to_json", "cc_json", "bcc_json")) + ")"
        args = [*args, *[_in_json(text)] * 3]
    for text in wanted.subject:
        where, args = f"{where} AND lower({alias}.subject) LIKE ? ESCAPE '!'", [*args, containing(text)]
    if wanted.direction is not None:
        where += _ONE_WAY[wanted.direction].format(alias)
    return where, args


def hidden_condition(shown: frozenset[str], alias: str = "message") -> Condition:
    """That a message is not hidden, or only by labels of ``shown``, with a leading AND."""
    if shown == HIDDEN:
        return "", []
    if not shown:
        return f" AND {alias}.hidden = 0", []
    still = sorted(HIDDEN - shown)
    marks = ", ".join("?" * len(still))
    return (
        f" AND ({alias}.hidden = 0 OR NOT EXISTS (SELECT 1 FROM label AS veil WHERE "  # noqa: S608
        f"veil.message_id = {alias}.id AND veil.label IN ({marks})))",
        list(still),
    )


def thread_conditions(wanted: Filter, alias: str = "thread") -> Condition:
    """Conditions on a thread, each with a leading AND. A thread has the labels of all its messages."""
    where: str = ""
    args: list[object] = []
    shown = wanted.shown
    inner = f"SELECT 1 FROM message AS part WHERE part.thread_id = {alias}.id"  # noqa: S608
    if not shown:
        where = f" AND {alias}.hidden = 0"
    elif shown != HIDDEN:
        still = sorted(HIDDEN - shown)
        marks = ", ".join("?" * len(still))
        where = (
            f" AND ({alias}.hidden = 0 OR EXISTS ({inner} AND NOT EXISTS (SELECT 1 FROM label AS veil "  # noqa: S608
            f"WHERE veil.message_id = part.id AND veil.label IN ({marks}))))"
        )
        args = list(still)
    for label in dict.fromkeys(wanted.labels):
        borne = "SELECT 1 FROM label AS one WHERE one.message_id = part.id AND one.label = ?"
        if label in _DIRECTION:
            where += f" AND EXISTS ({inner} AND (part.direction = ? OR EXISTS ({borne})))"
            args += [_DIRECTION[label], label]
        else:
            where += f" AND EXISTS ({inner} AND EXISTS ({borne}))"
            args += [label]
    if wanted.before is not None:
        where, args = f"{where} AND {alias}.timestamp < ?", [*args, wanted.before]
    if wanted.after is not None:
        where, args = f"{where} AND {alias}.timestamp > ?", [*args, wanted.after]
    for column, texts in (("senders_json", wanted.senders), ("recipients_json", wanted.recipients)):
        for text in texts:
            where, args = f"{where} AND lower({alias}.{column}) LIKE ? ESCAPE '!'", [*args, _in_json(text)]
    for text in wanted.subject:
        where, args = f"{where} AND lower({alias}.subject) LIKE ? ESCAPE '!'", [*args, containing(text)]
    if wanted.unread is not None:
        where += f" AND {alias}.unread = {int(wanted.unread)}"
    return where, args


def _in_json(text: str) -> str:
    """A substring as it is written inside compact JSON text."""
    if "<" in text and text.rstrip().endswith(">"):
        text = text.rstrip()[:-1].rpartition("<")[2]
    return containing(dump(text.strip())[1:-1])


# literals, for the partial indexes of store.index_models
_ONE_WAY = {"inbound": " AND {}.direction = 'inbound'", "outbound": " AND {}.direction = 'outbound'"}
_DIRECTION = {"sent": "outbound", "received": "inbound"}


def _label(tx: Tx, label: str, inbox_id: InboxId | None, alias: str) -> Condition:
    """``sent`` and ``received`` match the direction too. A rare label is looked up, a common one probed.

    ``unread``, which agents ask for again and again, is a column of the message too (``store.index.set_labels``).
    """
    if label == "unread":
        return f" AND {alias}.seen = 0", []
    probe = f"EXISTS (SELECT 1 FROM label AS one WHERE one.message_id = {alias}.id AND one.label = ?)"  # noqa: S608
    if label in _DIRECTION:
        return f" AND ({alias}.direction = ? OR {probe})", [_DIRECTION[label], label]
    if inbox_id is not None:
        many = sql(tx).value(
            "SELECT count(*) FROM (SELECT 1 FROM label WHERE inbox_id = ? AND label = ? LIMIT ?) AS few",
            inbox_id,
            label,
            _FEW + 1,
        )
        if many <= _FEW:
            return (
                f" AND {alias}.id IN (SELECT message_id FROM label WHERE inbox_id = ? AND label = ?)",  # noqa: S608
                [inbox_id, label],
            )
    return f" AND {probe}", [label]


def _one_of(column: str, ids: Iterable[str]) -> Condition:
    """``column IN (…)`` for the inboxes of a narrowed key."""
    wanted = list(ids)
    if not wanted:
        return "1 = 0", []
    return f"{column} IN ({', '.join('?' * len(wanted))})", list(wanted)
