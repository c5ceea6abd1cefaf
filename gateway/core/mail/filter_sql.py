"""A Filter as SQL conditions on rows of ``message`` and ``thread``, portable between SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.store.engine import Tx
from gateway.store.json_columns import dump
from gateway.store.labels import HIDDEN
from gateway.store.listing import Filter

_FEW = 2000
Condition = tuple[str, list[object]]


def containing(text: str) -> str:
    """A LIKE pattern (ESCAPE '!') for a substring, in lower case."""
    escaped = text.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{escaped}%"


def _in_json(text: str) -> str:
    """A substring as it stands inside compact JSON text."""
    if "<" in text and text.rstrip().endswith(">"):
        text = text.rstrip()[:-1].rpartition("<")[2]
    return containing(dump(text.strip())[1:-1])


def message_conditions(tx: Tx, wanted: Filter, inbox_id: str | None, alias: str = "message") -> Condition:
    """Conditions on a message row, each with a leading AND. ``inbox_id``: the one inbox that is listed."""
    sql, args = hidden_condition(wanted.shown, alias)
    for label in dict.fromkeys(wanted.labels):
        more, values = _label(tx, label, inbox_id, alias)
        sql, args = sql + more, args + values
    if wanted.before is not None:
        sql, args = f"{sql} AND {alias}.timestamp < ?", [*args, wanted.before]
    if wanted.after is not None:
        sql, args = f"{sql} AND {alias}.timestamp > ?", [*args, wanted.after]
    for text in wanted.senders:
        sql, args = f"{sql} AND lower({alias}.from_json) LIKE ? ESCAPE '!'", [*args, _in_json(text)]
    for text in wanted.recipients:
        like = f"lower({alias}.%s) LIKE ? ESCAPE '!'"
        sql += " AND (" + " OR ".join(like % name for name in ("to_json", "cc_json", "bcc_json")) + ")"
        args = [*args, *[_in_json(text)] * 3]
    for text in wanted.subject:
        sql, args = f"{sql} AND lower({alias}.subject) LIKE ? ESCAPE '!'", [*args, containing(text)]
    if wanted.direction is not None:
        sql += _ONE_WAY[wanted.direction].format(alias)
    return sql, args


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


# literals, for the partial indexes of store.index_models
_ONE_WAY = {"inbound": " AND {}.direction = 'inbound'", "outbound": " AND {}.direction = 'outbound'"}
_DIRECTION = {"sent": "outbound", "received": "inbound"}


def _label(tx: Tx, label: str, inbox_id: str | None, alias: str) -> Condition:
    """``sent`` and ``received`` match the direction too. A rare label is looked up, a common one probed.

    ``unread``, which agents ask for again and again, stands in the message's row too (``store.index.set_labels``).
    """
    if label == "unread":
        return f" AND {alias}.seen = 0", []
    probe = f"EXISTS (SELECT 1 FROM label AS one WHERE one.message_id = {alias}.id AND one.label = ?)"  # noqa: S608
    if label in _DIRECTION:
        return f" AND ({alias}.direction = ? OR {probe})", [_DIRECTION[label], label]
    if inbox_id is not None:
        many = tx.value(
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


def thread_conditions(wanted: Filter, alias: str = "thread") -> Condition:
    """Conditions on a thread row, each with a leading AND. A thread has the labels of all its messages."""
    sql: str = ""
    args: list[object] = []
    shown = wanted.shown
    inner = f"SELECT 1 FROM message AS part WHERE part.thread_id = {alias}.id"  # noqa: S608
    if not shown:
        sql = f" AND {alias}.hidden = 0"
    elif shown != HIDDEN:
        still = sorted(HIDDEN - shown)
        marks = ", ".join("?" * len(still))
        sql = (
            f" AND ({alias}.hidden = 0 OR EXISTS ({inner} AND NOT EXISTS (SELECT 1 FROM label AS veil "  # noqa: S608
            f"WHERE veil.message_id = part.id AND veil.label IN ({marks}))))"
        )
        args = list(still)
    for label in dict.fromkeys(wanted.labels):
        borne = "SELECT 1 FROM label AS one WHERE one.message_id = part.id AND one.label = ?"
        if label in _DIRECTION:
            sql += f" AND EXISTS ({inner} AND (part.direction = ? OR EXISTS ({borne})))"
            args += [_DIRECTION[label], label]
        else:
            sql += f" AND EXISTS ({inner} AND EXISTS ({borne}))"
            args += [label]
    if wanted.before is not None:
        sql, args = f"{sql} AND {alias}.timestamp < ?", [*args, wanted.before]
    if wanted.after is not None:
        sql, args = f"{sql} AND {alias}.timestamp > ?", [*args, wanted.after]
    for column, texts in (("senders_json", wanted.senders), ("recipients_json", wanted.recipients)):
        for text in texts:
            sql, args = f"{sql} AND lower({alias}.{column}) LIKE ? ESCAPE '!'", [*args, _in_json(text)]
    for text in wanted.subject:
        sql, args = f"{sql} AND lower({alias}.subject) LIKE ? ESCAPE '!'", [*args, containing(text)]
    if wanted.unread is not None:
        sql += f" AND {alias}.unread = {int(wanted.unread)}"
    return sql, args


def reach_condition(column: str, ids: Iterable[str]) -> Condition:
    """``column IN (…)`` for the inboxes of a narrowed key."""
    wanted = list(ids)
    if not wanted:
        return "1 = 0", []
    return f"{column} IN ({', '.join('?' * len(wanted))})", list(wanted)
