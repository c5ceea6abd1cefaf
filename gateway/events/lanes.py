"""Lanes in the database: the deliveries of one webhook and one inbox, in the order they go out.

Only a lane's *head* (its oldest pending row) carries a real ``next_at``; the rows behind it carry ``BEHIND`` and are
never scanned, so looking for work costs the same with ten rows waiting as with a hundred thousand. Whoever ends a
head promotes the next row in the same transaction.

A head that failed ``STUCK`` times may be at fault itself. Then the row behind it is tried as a *probe*: if the
endpoint takes it, and still not the head, the head leaves for a lane of its own (``detach``) and the others go on.
While the endpoint takes nothing, the order stays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gateway.store.engine import Row, Tx
from gateway.store.ids import now_us

BEHIND = 1 << 62
"""``next_at`` of a row that waits for the one before it."""

STUCK = 4
"""Failed tries after which a head may be what is wrong, rather than its endpoint."""

AHEAD = 4
_CHUNK = 1000

Kind = Literal["run", "probe", "verdict"]

_ROWS = (
    "SELECT delivery.id, delivery.event_seq, delivery.webhook_id, delivery.inbox_id, delivery.lane, "
    "delivery.attempts, delivery.first_failed_at, delivery.next_at, webhook.url, webhook.dialect, webhook.secret, "
    "webhook.old_secret, webhook.old_secret_until, webhook.headers_json, webhook.enabled, event.id AS event_id, "
    "event.type AS event_type, event.payload_json, event.organization_id, event.pod_id, event.message_id, "
    "event.created_at AS event_at, event.test, inbox.status AS inbox_status "
    "FROM delivery LEFT JOIN webhook ON webhook.id = delivery.webhook_id "
    "LEFT JOIN event ON event.seq = delivery.event_seq LEFT JOIN inbox ON inbox.id = delivery.inbox_id "
    "WHERE delivery.lane = ? AND delivery.state = 'pending' ORDER BY delivery.id LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a lane has to post now, in order.

    Attributes:
        kind: ``run``: post them one after another; ``probe``: the one row behind a stuck head; ``verdict``: the
            stuck head once more, now that the endpoint took the probe.
        tidy: something stands there that must not be posted or is misplaced: call :func:`tidy`.
    """

    rows: list[Row] = field(default_factory=list)
    kind: Kind = "run"
    tidy: bool = False


def lane_of(webhook_id: str, inbox_id: str | None) -> str:
    """The lane's name."""
    return f"{webhook_id}/{inbox_id or ''}"


def hold(tx: Tx, lane: str) -> None:
    """Keep every other transaction out of the lane until this one ends (SQLite has one writer anyway)."""
    if tx.postgres:
        tx.run("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", lane)


def enqueue(tx: Tx, seq: int, webhook_id: str, inbox_id: str | None) -> None:
    """Queue one event for one webhook at the end of its lane."""
    lane = lane_of(webhook_id, inbox_id)
    hold(tx, lane)
    now = now_us()
    first = tx.rows(
        "SELECT attempts FROM delivery WHERE lane = ? AND state = 'pending' ORDER BY id LIMIT 2", lane
    )
    # second behind a stuck head: it is the probe, and needs not wait for the head's next try
    at_once = not first or (len(first) == 1 and first[0]["attempts"] >= STUCK)
    tx.insert(
        "delivery",
        {
            "event_seq": seq,
            "webhook_id": webhook_id,
            "inbox_id": inbox_id,
            "lane": lane,
            "state": "pending",
            "next_at": now if at_once else BEHIND,
            "created_at": now,
        },
    )


def look(tx: Tx, lane: str) -> Ahead:
    """What the lane has to post now; reads only."""
    rows = tx.rows(_ROWS, lane, AHEAD)
    if not rows:
        return Ahead()
    now, head = now_us(), rows[0]
    if _silent(head):
        return Ahead(tidy=True)
    if head["next_at"] <= now or head["next_at"] == BEHIND:
        sound = next((n for n, row in enumerate(rows) if _silent(row)), len(rows))
        return Ahead(rows[:sound])
    if len(rows) > 1 and rows[1]["next_at"] <= now:
        if head["attempts"] < STUCK or _silent(rows[1]):
            return Ahead(tidy=True)
        return Ahead([rows[1]], "probe")
    return Ahead()


def second(tx: Tx, lane: str) -> Row | None:
    """The row behind the head, if it may be posted."""
    rows = tx.rows(_ROWS, lane, 2)
    return rows[1] if len(rows) == 2 and not _silent(rows[1]) else None


def promote(tx: Tx, lane: str) -> None:
    """Make the oldest pending row the head if it is not yet."""
    row = tx.row(
        "SELECT id, next_at FROM delivery WHERE lane = ? AND state = 'pending' ORDER BY id LIMIT 1", lane
    )
    if row is not None and row["next_at"] == BEHIND:
        tx.run("UPDATE delivery SET next_at = ? WHERE id = ?", now_us(), row["id"])


def detach(tx: Tx, row: Row) -> None:
    """Let a head that is itself at fault go on by its own schedule, out of the others' way."""
    tx.run("UPDATE delivery SET lane = ? WHERE id = ?", f"{row['lane']}#{row['id']}", row["id"])
    promote(tx, row["lane"])


def waiting_webhooks(tx: Tx) -> list[tuple[str, int]]:
    """Every webhook with pending rows and when its first is due (µs): two index seeks for each."""
    found: list[tuple[str, int]] = []
    last = ""
    while True:
        last = tx.value(
            "SELECT webhook_id FROM delivery WHERE state = 'pending' AND webhook_id > ? "
            "ORDER BY webhook_id LIMIT 1",
            last,
        )
        if last is None:
            return found
        at = tx.value(
            "SELECT next_at FROM delivery WHERE state = 'pending' AND webhook_id = ? ORDER BY next_at LIMIT 1",
            last,
        )
        if at is not None:
            found.append((last, at))


def due_lanes(tx: Tx, asked: list[tuple[str, int]]) -> list[tuple[str, str, bool]]:
    """Lanes with something due: (lane, webhook, whether more than one of its rows claims to be the head).

    ``asked``: webhook ids, each with how many rows to look at.
    """
    now, found = now_us(), dict[str, tuple[str, bool]]()
    for webhook, limit in asked:
        for row in tx.rows(
            "SELECT lane FROM delivery WHERE state = 'pending' AND webhook_id = ? AND next_at <= ? "
            "ORDER BY next_at LIMIT ?",
            webhook,
            now,
            limit,
        ):
            found[row["lane"]] = (webhook, row["lane"] in found)
    return [(lane, webhook, crowd) for lane, (webhook, crowd) in found.items()]


def tidy(tx: Tx, lane: str, webhook_id: str) -> bool:
    """Take out of the lane what must stay silent, and put misplaced rows behind the head.

    A bounded bite; answers whether there may be more.
    """
    hold(tx, lane)
    hook = tx.row("SELECT enabled FROM webhook WHERE id = ?", webhook_id)
    if hook is None or not hook["enabled"]:
        # heads last: a crash in between leaves something for the next scan to find
        chosen = "(SELECT id FROM delivery WHERE state = 'pending' AND webhook_id = ? ORDER BY next_at DESC LIMIT ?)"
        change = "DELETE FROM delivery" if hook is None else "UPDATE delivery SET state = 'failed'"
        return tx.run(f"{change} WHERE id IN {chosen}", webhook_id, _CHUNK) == _CHUNK
    taken = tx.run(
        "DELETE FROM delivery WHERE id IN (SELECT delivery.id FROM delivery "
        "LEFT JOIN event ON event.seq = delivery.event_seq LEFT JOIN inbox ON inbox.id = delivery.inbox_id "
        "WHERE delivery.lane = ? AND delivery.state = 'pending' AND (event.seq IS NULL OR "
        "(delivery.inbox_id IS NOT NULL AND (inbox.id IS NULL OR inbox.status = 'deleting'))) LIMIT ?)",
        lane,
        _CHUNK,
    )
    front = tx.rows(
        "SELECT id, attempts, next_at FROM delivery WHERE lane = ? AND state = 'pending' ORDER BY id LIMIT 2",
        lane,
    )
    if not front:
        return taken == _CHUNK
    # a replay puts many rows in front at once; one head is enough
    kept = front if front[0]["attempts"] >= STUCK else front[:1]
    moved = tx.run(
        "UPDATE delivery SET next_at = ? WHERE id IN (SELECT id FROM delivery WHERE lane = ? "
        "AND state = 'pending' AND next_at <= ? AND id > ? ORDER BY id LIMIT ?)",
        BEHIND,
        lane,
        now_us(),
        kept[-1]["id"],
        _CHUNK,
    )
    promote(tx, lane)
    return _CHUNK in (taken, moved)


def headless(tx: Tx) -> list[str]:
    """Lanes that lost their head (someone deleted the row). For the start and now and then: it looks at all."""
    rows = tx.rows(
        "SELECT lane FROM delivery WHERE state = 'pending' GROUP BY lane HAVING min(next_at) = ?", BEHIND
    )
    return [row["lane"] for row in rows]


def mend(tx: Tx, lane_names: list[str]) -> None:
    """Give a head to every lane named."""
    for lane in lane_names:
        hold(tx, lane)
        promote(tx, lane)


def _silent(row: Row) -> bool:
    """Nothing may be posted: no such webhook, switched off, the event or its inbox deleted."""
    if not row["enabled"] or row["event_id"] is None:
        return True
    return row["inbox_id"] is not None and row["inbox_status"] in (None, "deleting")
