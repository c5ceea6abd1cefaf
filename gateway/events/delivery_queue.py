"""What waits for delivery: rows in lanes, each lane with one head.

A *lane* keeps the order of one webhook and one inbox. Its oldest pending row is the head and holds the time of
the next try; the rows behind it bear ``BEHIND`` until the head is settled and the next one is promoted. So a lane
waits with its head without a write to any other row, nothing behind can overtake, and what is due is a range of
an index however long the lanes are. A dialect that promises no order has a lane for each event.

A head is passed over only by proof: its endpoint refused it again and took the next of its lane right after. It
moves into a lane of its own then. While an endpoint takes nothing, its lanes wait as they are; when it takes something
again, or something new comes, their heads are tried early (``hasten``, ``enqueue``), which counts as no try.

What comes for a webhook that the gateway switched off waits behind, without a head, until it is switched on again
(``resume``), as long as events are kept and up to a number (``drop_surplus``).
"""

from __future__ import annotations

from collections.abc import Collection

from gateway.store.engine import Row, Tx
from gateway.store.ids import now_us
from gateway.store.leases import DUTIES

_EARLY_AFTER = 60_000_000
"""µs since a head's last try, before it may be tried early; times the setting ``webhooks.retry_scale``."""

BEHIND = 1 << 62
"""``next_at`` of a row that waits for those before it."""

UNORDERED = frozenset({"openmail", "mailboxkit"})
"""Dialects whose events go each for itself (OpenMail: "at least once, unordered"; MailboxKit promises no order)."""

_JOINED = (
    "SELECT delivery.id, delivery.webhook_id, delivery.inbox_id, delivery.lane, delivery.attempts, "
    "delivery.first_failed_at, delivery.next_at, delivery.planned_at, webhook.url, webhook.dialect, webhook.secret, "
    "webhook.old_secret, webhook.old_secret_until, webhook.headers_json, webhook.failing_since, "
    "webhook.succeeded_at, webhook.enabled, event.seq, event.id AS event_id, event.type AS event_type, "
    "event.payload_json, event.organization_id, event.pod_id, event.message_id, event.created_at AS event_at, "
    "event.test FROM delivery JOIN webhook ON webhook.id = delivery.webhook_id "
    "JOIN event ON event.seq = delivery.event_seq "
)


def in_order(tx: Tx, organization_id: str, inbox_id: str | None) -> None:
    """Whoever adds to the events of an inbox, or to its lanes, or takes from them, does so one after another: what is
    committed first stands first."""
    tx.lock(f"events/{inbox_id or organization_id}")


def enqueue(
    tx: Tx, seq: int, webhook_id: str, dialect: str, inbox_id: str | None, scale: float = 1.0
) -> None:
    """Queue one event for one webhook, behind what its lane holds. A replay calls this again. After ``in_order``.

    A head that waits for its time and was not tried for a minute (times ``scale``) is tried now.
    """
    lane = f"{webhook_id}/{inbox_id or ''}"
    if dialect in UNORDERED:
        lane = f"{lane}#{seq}"
    now = now_us()
    waits = tx.value("SELECT 1 FROM delivery WHERE lane = ? AND state = 'pending' LIMIT 1", lane)
    hook = tx.row("SELECT organization_id, enabled FROM webhook WHERE id = ?", webhook_id)
    tx.insert(
        "delivery",
        {
            "event_seq": seq,
            "webhook_id": webhook_id,
            "inbox_id": inbox_id,
            "lane": lane,
            "state": "pending",
            "next_at": BEHIND if waits or (hook and not hook["enabled"]) else 0,
            "created_at": now,
            "organization_id": hook["organization_id"] if hook else "",
        },
    )
    if waits:
        _early(tx, "lane = ?", lane, now - int(_EARLY_AFTER * scale))


def hasten(tx: Tx, webhook_id: str, scale: float = 1.0) -> None:
    """Have each head of a webhook that waits for its time tried now: the endpoint takes posts again. Those that were
    tried within a minute (times ``scale``) keep their time."""
    _early(tx, "webhook_id = ?", webhook_id, now_us() - int(_EARLY_AFTER * scale))


def _early(tx: Tx, which: str, value: str, tried_before: int) -> None:
    tx.run(
        f"UPDATE delivery SET next_at = 0 WHERE {which} AND state = 'pending' AND next_at = planned_at "  # noqa: S608
        "AND tried_at < ?",
        value,
        tried_before,
    )


def withdraw(tx: Tx, seq: int, webhook_id: str) -> None:
    """Forget an event's delivery to a webhook, whatever its state; its lane goes on. After ``in_order``."""
    for row in tx.rows(
        "SELECT id, lane FROM delivery WHERE webhook_id = ? AND event_seq = ?", webhook_id, seq
    ):
        tx.run("DELETE FROM delivery WHERE id = ?", row["id"])
        promote(tx, row["lane"])


def promote(tx: Tx, lane: str) -> None:
    """See that the oldest pending row of a lane is its head. To be called when a head left."""
    tx.run(
        "UPDATE delivery SET next_at = 0 WHERE next_at = ? AND id = "
        "(SELECT min(id) FROM delivery WHERE lane = ? AND state = 'pending') "
        "AND webhook_id IN (SELECT id FROM webhook WHERE enabled = 1)",
        BEHIND,
        lane,
    )


def promote_all(tx: Tx) -> None:
    """As ``promote``, for every lane: what an earlier version, or a hand in the tables, left without a head."""
    tx.run(
        "UPDATE delivery SET next_at = 0 WHERE next_at = ? AND id IN "
        "(SELECT min(id) FROM delivery WHERE state = 'pending' GROUP BY lane) "
        "AND webhook_id IN (SELECT id FROM webhook WHERE enabled = 1)",
        BEHIND,
    )


def suspend(tx: Tx, webhook_id: str) -> None:
    """Have what waits for a webhook wait for ``resume``."""
    tx.run("UPDATE delivery SET next_at = ? WHERE webhook_id = ? AND state = 'pending'", BEHIND, webhook_id)


def resume(tx: Tx, webhook_id: str) -> None:
    """Have what waits for a webhook posted, oldest first in each inbox, and tried anew."""
    tx.run(
        "UPDATE delivery SET attempts = 0, first_failed_at = NULL, planned_at = NULL, next_at = ? "
        "WHERE webhook_id = ? AND state = 'pending'",
        BEHIND,
        webhook_id,
    )
    tx.run(
        "UPDATE delivery SET next_at = 0 WHERE id IN "
        "(SELECT min(id) FROM delivery WHERE webhook_id = ? AND state = 'pending' GROUP BY lane)",
        webhook_id,
    )


def drop_surplus(tx: Tx, most: int, before: int) -> None:
    """Give up what waits for webhooks that are switched off: all but the newest ``most`` of each, and what is older
    than ``before`` (µs)."""
    for row in tx.rows("SELECT id FROM webhook WHERE enabled = 0"):
        mine = "webhook_id = ? AND state = 'pending'"
        last = tx.value(
            f"SELECT id FROM delivery WHERE {mine} ORDER BY id DESC LIMIT 1 OFFSET ?",  # noqa: S608
            row["id"],
            most,
        )
        tx.run(
            f"UPDATE delivery SET state = 'failed' WHERE {mine} AND (id <= ? OR created_at < ?)",  # noqa: S608
            row["id"],
            last or 0,
            before,
        )


def set_aside(tx: Tx, row: Row) -> None:
    """Give a head a lane of its own, so that those behind it go on without it; it is tried early, at once."""
    if not alone(row["lane"]):
        tx.run(
            "UPDATE delivery SET lane = ?, next_at = 0 WHERE id = ? AND state = 'pending' "
            "AND webhook_id IN (SELECT id FROM webhook WHERE enabled = 1)",
            f"{row['lane']}#{row['id']}",
            row["id"],
        )
        promote(tx, row["lane"])


def alone(lane: str) -> bool:
    """Whether a lane holds one delivery only, by its name."""
    return "#" in lane


def organizations_due(tx: Tx, now: int, after: str, most: int) -> list[str]:
    """Organizations with a head whose time has come: those whose id comes behind ``after``, then from the start.

    The index is asked once for each organization that waits for something, however much it waits for.
    """
    return list(dict.fromkeys([*_due_behind(tx, now, after, most), *_due_behind(tx, now, None, most)]))[:most]


def _due_behind(tx: Tx, now: int, after: str | None, most: int) -> list[str]:
    first = "" if after is None else "AND organization_id > ? "
    least = "SELECT min(organization_id) FROM delivery WHERE state = 'pending' "
    rows = tx.rows(
        f"WITH RECURSIVE one(id) AS (SELECT ({least}{first}) UNION ALL "  # noqa: S608
        f"SELECT ({least} AND organization_id > one.id) FROM one WHERE one.id IS NOT NULL) "
        "SELECT id FROM one WHERE id IS NOT NULL AND EXISTS (SELECT 1 FROM delivery "
        "WHERE state = 'pending' AND organization_id = one.id AND next_at <= ?) LIMIT ?",
        *(() if after is None else (after,)),
        now,
        most,
    )
    return [row["id"] for row in rows]


def due(
    tx: Tx,
    now: int,
    organization_id: str,
    without: Collection[str],
    most: int,
    shares: list[int] | None = None,
) -> list[Row]:
    """An organization's heads whose time has come, longest due first, without those of the webhooks ``without``.

    Each with ``lane``, ``share``, ``webhook_id`` and the webhook's ``url``, ``failing_since`` and ``succeeded_at``.
    ``shares``: of all lanes those of these shares (``store.leases``), on PostgreSQL; None: every lane, share 0.
    """
    share = "0" if shares is None else f"(hashtext(delivery.lane) & {DUTIES['lanes'][1] - 1})"
    ours = f"AND {share} IN ({', '.join('?' * len(shares))}) " if shares else ""
    marks = ", ".join("?" * len(without))
    others = f"AND delivery.webhook_id NOT IN ({marks}) " if without else ""
    return tx.rows(
        f"SELECT delivery.lane, delivery.webhook_id, {share} AS share, webhook.url, webhook.failing_since, "  # noqa: S608
        "webhook.succeeded_at FROM delivery JOIN webhook ON webhook.id = delivery.webhook_id "
        "WHERE delivery.state = 'pending' AND delivery.organization_id = ? AND delivery.next_at <= ? "
        f"AND webhook.enabled = 1 {others}{ours}ORDER BY delivery.next_at, delivery.id LIMIT ?",
        organization_id,
        now,
        *without,
        *(shares or ()),
        most,
    )


def after_head(tx: Tx, row: Row) -> Row | None:
    """The joined row behind a lane's head, whatever its time."""
    return tx.row(
        _JOINED + "WHERE delivery.lane = ? AND delivery.state = 'pending' AND delivery.id > ? "
        "AND webhook.enabled = 1 ORDER BY delivery.id LIMIT 1",
        row["lane"],
        row["id"],
    )


def head(tx: Tx, lane: str, now: int) -> Row | None:
    """The joined row of a lane's head, if its time has come and its webhook is enabled."""
    row = tx.row(
        _JOINED + "WHERE delivery.lane = ? AND delivery.state = 'pending' ORDER BY delivery.id LIMIT 1", lane
    )
    return row if row and row["enabled"] and row["next_at"] <= now else None


def waiting(tx: Tx) -> int:
    """How many deliveries no endpoint has taken yet; those of webhooks that are switched off are not counted."""
    return int(
        tx.value(
            "SELECT count(*) FROM delivery JOIN webhook ON webhook.id = delivery.webhook_id "
            "WHERE delivery.state = 'pending' AND webhook.enabled = 1"
        )
    )


def next_due(tx: Tx, now: int) -> int | None:
    """When the next head's time comes, µs; None when nothing waits for a time."""
    at = tx.value(
        "SELECT min(next_at) FROM delivery WHERE state = 'pending' AND next_at > ? AND next_at < ?",
        now,
        BEHIND,
    )
    return None if at is None else int(at)
