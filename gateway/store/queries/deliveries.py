"""Statements about what waits for delivery to webhooks, and about what was tried (``events.delivery_queue``)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from gateway.records.events import Event, EventHead
from gateway.records.ids import EventId, InboxId, KeyId, MessageId, OrganizationId, WebhookId
from gateway.records.webhooks import Attempt, Delivery, DeliveryState, Webhook
from gateway.store.leases import DUTIES
from gateway.store.listing import Listing, Window, page
from gateway.store.scope import Scope
from gateway.store.sql import sql
from gateway.store.transaction import Tx

BEHIND = 1 << 62
"""``next_at`` of a delivery that waits for those before it in its lane."""

_JOINED = (
    "JOIN webhook ON webhook.id = delivery.webhook_id JOIN event ON event.seq = delivery.event_seq "
    "WHERE delivery.lane = ? AND delivery.state = 'pending' "
)
_ENABLED = "webhook_id IN (SELECT id FROM webhook WHERE enabled = 1)"


@dataclass(frozen=True, slots=True)
class Pending:
    """A delivery with its webhook and its event: all it takes to post it."""

    delivery: Delivery
    webhook: Webhook
    event: Event


@dataclass(frozen=True, slots=True)
class DueLane:
    """A lane whose head's time has come. ``share``: of all lanes (``store.leases``); the rest is its webhook's."""

    lane: str
    share: int
    webhook_id: WebhookId
    url: str
    failing_since: int | None
    succeeded_at: int | None


@dataclass(frozen=True, slots=True)
class PostedEvent:
    """An event on its way to one webhook, with the outcome of the last try. Times in µs."""

    event_id: EventId
    event_type: str
    webhook_id: WebhookId
    url: str
    state: DeliveryState
    attempts: int
    next_at: int
    created_at: int
    tried_at: int | None
    status: int | None  # HTTP
    error: str | None


# --- a lane ---


def head_of_lane(tx: Tx, lane: str) -> Pending | None:
    """The oldest pending delivery of a lane, whatever its time."""
    found = sql(tx).joined((Delivery, Webhook, Event), f"{_JOINED}ORDER BY delivery.id LIMIT 1", lane)
    return Pending(*found[0]) if found else None


def next_of_lane(tx: Tx, lane: str, after: int) -> Pending | None:
    """The pending delivery that follows the one with id ``after`` in a lane, if its webhook is enabled."""
    found = sql(tx).joined(
        (Delivery, Webhook, Event),
        f"{_JOINED}AND delivery.id > ? AND webhook.enabled = 1 ORDER BY delivery.id LIMIT 1",
        lane,
        after,
    )
    return Pending(*found[0]) if found else None


def lane_waits(tx: Tx, lane: str) -> bool:
    """Whether anything is pending in a lane."""
    query = "SELECT 1 FROM delivery WHERE lane = ? AND state = 'pending' LIMIT 1"
    return sql(tx).value(query, lane) is not None


def promote_head(tx: Tx, lane: str) -> None:
    """Have the oldest pending delivery of a lane posted, unless it has a time already or its webhook is off."""
    sql(tx).run(
        "UPDATE delivery SET next_at = 0 WHERE next_at = ? AND id = "  # noqa: S608
        f"(SELECT min(id) FROM delivery WHERE lane = ? AND state = 'pending') AND {_ENABLED}",
        BEHIND,
        lane,
    )


def hasten_lane(tx: Tx, lane: str, tried_before: int) -> None:
    """Have the head of a lane posted before its time, if it was last tried before ``tried_before`` (µs)."""
    _hasten(tx, "lane = ?", lane, tried_before)


def hasten_webhook(tx: Tx, webhook_id: WebhookId, tried_before: int) -> None:
    """As ``hasten_lane``, for every lane of a webhook."""
    _hasten(tx, "webhook_id = ?", webhook_id, tried_before)


def _hasten(tx: Tx, which: str, value: str, tried_before: int) -> None:
    sql(tx).run(
        f"UPDATE delivery SET next_at = 0 WHERE {which} AND state = 'pending' AND next_at = planned_at "  # noqa: S608
        "AND tried_at < ?",
        value,
        tried_before,
    )


def move_to_lane(tx: Tx, delivery_id: int, lane: str) -> None:
    """Put a pending delivery into another lane and have it posted at once, if its webhook is enabled."""
    sql(tx).run(
        f"UPDATE delivery SET lane = ?, next_at = 0 WHERE id = ? AND state = 'pending' AND {_ENABLED}",  # noqa: S608
        lane,
        delivery_id,
    )


# --- one delivery ---


def add_delivery(
    tx: Tx,
    event_seq: int,
    webhook_id: WebhookId,
    inbox_id: InboxId | None,
    lane: str,
    *,
    behind: bool,
    at: int,
) -> None:
    """Note a delivery, to be posted now; one that is ``behind`` others, or of a webhook that is off, waits for them."""
    hook = sql(tx).row("SELECT organization_id, enabled FROM webhook WHERE id = ?", webhook_id)
    sql(tx).insert(
        "delivery",
        {
            "event_seq": event_seq,
            "webhook_id": webhook_id,
            "inbox_id": inbox_id,
            "lane": lane,
            "state": "pending",
            "next_at": BEHIND if behind or (hook and not hook["enabled"]) else 0,
            "created_at": at,
            "organization_id": hook["organization_id"] if hook else "",
        },
    )


def delivery(tx: Tx, delivery_id: int | None) -> Delivery | None:
    """A delivery by its id."""
    return sql(tx).one(Delivery, "WHERE id = ?", delivery_id)


def delivery_state(tx: Tx, delivery_id: int) -> DeliveryState | None:
    """What became of a delivery; None when it is gone."""
    state: DeliveryState | None = sql(tx).value("SELECT state FROM delivery WHERE id = ?", delivery_id)
    return state


def deliveries_of_event(tx: Tx, event_seq: int, webhook_id: WebhookId) -> list[Delivery]:
    """The deliveries of an event to a webhook, newest first."""
    found = sql(tx).all(Delivery, "WHERE event_seq = ? AND webhook_id = ?", event_seq, webhook_id)
    return sorted(found, key=lambda one: one.id, reverse=True)


def post_again(tx: Tx, delivery_id: int) -> None:
    """Have a delivery posted now, whatever became of it."""
    sql(tx).update("delivery", "id", delivery_id, {"state": "pending", "next_at": 0})


def note_done(tx: Tx, delivery_id: int, attempts: int) -> None:
    """Note that a delivery was taken after so many tries."""
    sql(tx).run("UPDATE delivery SET state = 'done', attempts = ? WHERE id = ?", attempts, delivery_id)


def note_attempts(tx: Tx, delivery_id: int, attempts: int) -> None:
    """Note how often a delivery was tried."""
    sql(tx).run("UPDATE delivery SET attempts = ? WHERE id = ?", attempts, delivery_id)


def note_tried(tx: Tx, delivery_id: int, attempts: int, at: int) -> None:
    """Note how often a delivery was tried, the last time at ``at`` (µs)."""
    sql(tx).run("UPDATE delivery SET attempts = ?, tried_at = ? WHERE id = ?", attempts, at, delivery_id)


def note_tried_early(tx: Tx, delivery_id: int, at: int) -> None:
    """Note that a delivery was tried at ``at`` (µs) before its time, which it waits for again."""
    sql(tx).run("UPDATE delivery SET next_at = planned_at, tried_at = ? WHERE id = ?", at, delivery_id)


def put_off(tx: Tx, delivery_id: int, *, first_failed_at: int, next_at: int, planned_at: int | None) -> None:
    """Have a delivery tried again at ``next_at`` (µs)."""
    sql(tx).run(
        "UPDATE delivery SET first_failed_at = ?, next_at = ?, planned_at = ? WHERE id = ?",
        first_failed_at,
        next_at,
        planned_at,
        delivery_id,
    )


def give_up(tx: Tx, delivery_id: int) -> None:
    """Note that a delivery failed for good."""
    sql(tx).run("UPDATE delivery SET state = 'failed' WHERE id = ?", delivery_id)


def remove_delivery(tx: Tx, delivery_id: int) -> None:
    """Delete a delivery."""
    sql(tx).run("DELETE FROM delivery WHERE id = ?", delivery_id)


def posted_events_of_message(tx: Tx, scope: Scope, message_id: MessageId, most: int) -> list[PostedEvent]:
    """The first ``most`` deliveries of a message's events to webhooks that the key reaches."""
    where, args = "webhook.organization_id = ?", list[object]([scope.organization])
    if scope.pod:
        where, args = f"{where} AND webhook.pod_id = ?", [*args, scope.pod]
    if scope.inbox:
        where, args = f"{where} AND webhook.inbox_id = ?", [*args, scope.inbox]
    if scope.test:
        where += " AND webhook.test = 1"
    rows = sql(tx).rows(
        "SELECT event.id AS event_id, event.type AS event_type, delivery.webhook_id, webhook.url, "  # noqa: S608
        "delivery.state, delivery.attempts, delivery.next_at, delivery.created_at, "
        "attempt.created_at AS tried_at, attempt.status, attempt.error FROM event "
        "JOIN delivery ON delivery.event_seq = event.seq JOIN webhook ON webhook.id = delivery.webhook_id "
        "LEFT JOIN attempt ON attempt.id = "
        "(SELECT max(latest.id) FROM attempt AS latest WHERE latest.delivery_id = delivery.id) "
        f"WHERE event.message_id = ? AND {where} ORDER BY delivery.id LIMIT ?",
        message_id,
        *args,
        most,
    )
    return [PostedEvent(**row) for row in rows]


# --- of a webhook ---


def drop_pending(tx: Tx, webhook_id: WebhookId) -> None:
    """Delete what waits for a webhook."""
    sql(tx).run("DELETE FROM delivery WHERE webhook_id = ? AND state = 'pending'", webhook_id)


def suspend_pending(tx: Tx, webhook_id: WebhookId) -> None:
    """Have what waits for a webhook wait for ``resume_pending``."""
    sql(tx).run(
        "UPDATE delivery SET next_at = ? WHERE webhook_id = ? AND state = 'pending'", BEHIND, webhook_id
    )


def resume_pending(tx: Tx, webhook_id: WebhookId) -> None:
    """Have what waits for a webhook posted, oldest first in each lane, and tried anew."""
    sql(tx).run(
        "UPDATE delivery SET attempts = 0, first_failed_at = NULL, planned_at = NULL, next_at = ? "
        "WHERE webhook_id = ? AND state = 'pending'",
        BEHIND,
        webhook_id,
    )
    sql(tx).run(
        "UPDATE delivery SET next_at = 0 WHERE id IN "
        "(SELECT min(id) FROM delivery WHERE webhook_id = ? AND state = 'pending' GROUP BY lane)",
        webhook_id,
    )


def failed_events(tx: Tx, webhook_id: WebhookId, since: int) -> list[EventHead]:
    """The events of a webhook's deliveries since ``since`` (µs) that failed for good."""
    return sql(tx).all(
        EventHead,
        "JOIN delivery ON event.seq = delivery.event_seq "
        "WHERE delivery.webhook_id = ? AND delivery.state = 'failed' AND delivery.created_at >= ?",
        webhook_id,
        since,
    )


def pending_of_key(tx: Tx, key_id: KeyId) -> list[tuple[Delivery, EventHead]]:
    """What waits for the webhooks that a key answers for."""
    return sql(tx).joined(
        (Delivery, EventHead),
        "JOIN event ON event.seq = delivery.event_seq JOIN webhook ON webhook.id = delivery.webhook_id "
        "WHERE webhook.key_id = ? AND delivery.state = 'pending'",
        key_id,
    )


# --- of an organization ---


def due_lanes(
    tx: Tx,
    organization_id: OrganizationId,
    now: int,
    without: Collection[str],
    most: int,
    shares: list[int] | None = None,
) -> list[DueLane]:
    """An organization's lanes whose head's time has come, longest due first, without those of the webhooks ``without``.

    ``shares``: of all lanes those of these shares (``store.leases``), on PostgreSQL; None: every lane, share 0.
    """
    share = "0" if shares is None else f"(hashtext(delivery.lane) & {DUTIES['lanes'][1] - 1})"
    ours = f"AND {share} IN ({', '.join('?' * len(shares))}) " if shares else ""
    marks = ", ".join("?" * len(without))
    others = f"AND delivery.webhook_id NOT IN ({marks}) " if without else ""
    rows = sql(tx).rows(
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
    return [DueLane(**row) for row in rows]


def unscoped_organizations_due(tx: Tx, now: int, after: str, most: int) -> list[OrganizationId]:
    """Organizations with a head whose time has come: those whose id comes behind ``after``, then from the start.

    The index is asked once for each organization that waits for something, however much it waits for.
    """
    return list(dict.fromkeys([*_due_behind(tx, now, after, most), *_due_behind(tx, now, None, most)]))[:most]


def _due_behind(tx: Tx, now: int, after: str | None, most: int) -> list[OrganizationId]:
    first = "" if after is None else "AND organization_id > ? "
    least = "SELECT min(organization_id) FROM delivery WHERE state = 'pending' "
    rows = sql(tx).rows(
        f"WITH RECURSIVE one(id) AS (SELECT ({least}{first}) UNION ALL "  # noqa: S608
        f"SELECT ({least} AND organization_id > one.id) FROM one WHERE one.id IS NOT NULL) "
        "SELECT id FROM one WHERE id IS NOT NULL AND EXISTS (SELECT 1 FROM delivery "
        "WHERE state = 'pending' AND organization_id = one.id AND next_at <= ?) LIMIT ?",
        *(() if after is None else (after,)),
        now,
        most,
    )
    return [row["id"] for row in rows]


# --- of any organization ---


def unscoped_next_due(tx: Tx, now: int) -> int | None:
    """When the next head's time comes, µs; None when nothing waits for a time."""
    at = sql(tx).value(
        "SELECT min(next_at) FROM delivery WHERE state = 'pending' AND next_at > ? AND next_at < ?",
        now,
        BEHIND,
    )
    return None if at is None else int(at)


def unscoped_waiting_deliveries(tx: Tx) -> int:
    """How many deliveries no endpoint has taken yet; those of webhooks that are switched off are not counted."""
    return int(
        sql(tx).value(
            "SELECT count(*) FROM delivery JOIN webhook ON webhook.id = delivery.webhook_id "
            "WHERE delivery.state = 'pending' AND webhook.enabled = 1"
        )
    )


def unscoped_promote_heads(tx: Tx) -> None:
    """As ``promote_head``, for every lane: what an earlier version, or a hand in the tables, left without a head."""
    sql(tx).run(
        "UPDATE delivery SET next_at = 0 WHERE next_at = ? AND id IN "  # noqa: S608
        f"(SELECT min(id) FROM delivery WHERE state = 'pending' GROUP BY lane) AND {_ENABLED}",
        BEHIND,
    )


def unscoped_drop_surplus(tx: Tx, most: int, before: int) -> None:
    """Give up what waits for webhooks that are switched off: all but the newest ``most`` of each, and what is older
    than ``before`` (µs)."""
    for row in sql(tx).rows("SELECT id FROM webhook WHERE enabled = 0"):
        mine = "webhook_id = ? AND state = 'pending'"
        last = sql(tx).value(
            f"SELECT id FROM delivery WHERE {mine} ORDER BY id DESC LIMIT 1 OFFSET ?",  # noqa: S608
            row["id"],
            most,
        )
        sql(tx).run(
            f"UPDATE delivery SET state = 'failed' WHERE {mine} AND (id <= ? OR created_at < ?)",  # noqa: S608
            row["id"],
            last or 0,
            before,
        )


# --- attempts ---


def list_attempts(tx: Tx, webhook_id: WebhookId, window: Window) -> Listing[Attempt]:
    """The tries of a webhook, newest first."""
    return page(tx, Attempt, "webhook_id = ?", [webhook_id], window)


def attempt_of_webhook(tx: Tx, webhook_id: WebhookId, attempt_id: int) -> Attempt | None:
    """A try of a webhook by its id."""
    return sql(tx).one(Attempt, "WHERE id = ? AND webhook_id = ?", attempt_id, webhook_id)


def attempt_of_event(tx: Tx, event_id: EventId) -> Attempt | None:
    """A try of an event (ULID)."""
    return sql(tx).one(Attempt, "WHERE event_id = ?", event_id)


def latest_attempt(tx: Tx, delivery_id: int) -> int | None:
    """The id of the last try of a delivery."""
    latest: int | None = sql(tx).value("SELECT max(id) FROM attempt WHERE delivery_id = ?", delivery_id)
    return latest


def add_attempt(
    tx: Tx,
    *,
    delivery_id: int | None,
    event_id: EventId,
    webhook_id: WebhookId,
    number: int,
    url: str,
    status: int | None,
    response: str | None,
    error: str | None,
    duration_ms: int | None,
    created_at: int,
) -> None:
    """Note a try (``records.webhooks.Attempt``)."""
    sql(tx).insert(
        "attempt",
        {
            "delivery_id": delivery_id,
            "event_id": event_id,
            "webhook_id": webhook_id,
            "number": number,
            "url": url,
            "status": status,
            "response": response,
            "error": error,
            "duration_ms": duration_ms,
            "created_at": created_at,
        },
    )
