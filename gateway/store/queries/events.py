"""Statements about the log of events."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.records.events import Event, EventHead, LogPosition
from gateway.records.ids import EventId, InboxId, MessageId, OrganizationId, PodId, now_us
from gateway.store.listing import Listing
from gateway.store.scope import Scope
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_SETTLED_US = 2_000_000
_MOST_UNSETTLED_US = 60_000_000


# --- of one organization ---


def event_head(tx: Tx, scope: Scope, event_id: EventId | None) -> EventHead | None:
    """The organization's event with this ULID."""
    return sql(tx).one(EventHead, "WHERE id = ? AND organization_id = ?", event_id, scope.organization)


def event_heads_since(tx: Tx, scope: Scope, since: int) -> list[EventHead]:
    """The organization's events since a time (µs)."""
    return sql(tx).all(EventHead, "WHERE organization_id = ? AND created_at >= ?", scope.organization, since)


def event_heads_after(tx: Tx, organization: OrganizationId, seq: int, most: int) -> list[EventHead]:
    """The first ``most`` events of an organization after a place in the log."""
    return sql(tx).all(
        EventHead, "WHERE organization_id = ? AND seq > ? ORDER BY seq LIMIT ?", organization, seq, most
    )


def position_before(tx: Tx, organization: OrganizationId, since: int) -> LogPosition:
    """The position before an organization's first event since a time (µs)."""
    least = "SELECT min(seq) FROM event WHERE organization_id = ? AND created_at >= ?"
    first = sql(tx).value(least, organization, since)
    return LogPosition(unscoped_newest_seq(tx) if first is None else int(first) - 1, since - 1)


def event_heads_after_position(
    tx: Tx, organization: OrganizationId, position: LogPosition, most: int
) -> list[EventHead]:
    """The first ``most`` events of an organization after ``position``.

    SQLite gives the ``seq`` of the newest rows out again when they are deleted: what is new begins after the last row
    that is as old as the position, and of the rows up to its ``seq`` only those count that came later.
    """
    row = "SELECT seq FROM event WHERE seq <= ? AND created_at <= ? ORDER BY seq DESC LIMIT 1"
    least = int(sql(tx).value(row, position.seq, position.at) or 0)
    where = "WHERE organization_id = ? AND seq > ? AND (seq > ? OR created_at > ?) ORDER BY seq LIMIT ?"
    return sql(tx).all(EventHead, where, organization, least, position.seq, position.at, most)


def list_events(
    tx: Tx,
    scope: Scope,
    *,
    types: Sequence[str],
    inbox: InboxId | None,
    after: int | None,
    position: int | None,
    limit: int,
    offset: int,
    ascending: bool,
) -> Listing[Event]:
    """The events of some types that the key reaches, or of these those of one inbox, in the order of the log.

    ``after``: only those behind this place in the log; ``position``: where the page before ended.
    """
    where, args = "organization_id = ?", list[object]([scope.organization])
    if scope.test:
        where += " AND test = 1"
    if scope.pod:
        where, args = f"{where} AND pod_id = ?", [*args, scope.pod]
    if inbox is not None:
        where, args = f"{where} AND inbox_id = ?", [*args, inbox]
    where = f"{where} AND type IN ({', '.join('?' * len(types))})"
    args = [*args, *types]
    if after is not None:
        where, args = f"{where} AND seq > ?", [*args, after]
    total = sql(tx).value(f"SELECT count(*) FROM event WHERE {where}", *args)  # noqa: S608
    if position is not None:
        where, args = f"{where} AND seq {'>' if ascending else '<'} ?", [*args, position]
    way = "ASC" if ascending else "DESC"
    found = sql(tx).all(Event, f"WHERE {where} ORDER BY seq {way} LIMIT ? OFFSET ?", *args, limit + 1, offset)
    more, shown = len(found) > limit, found[:limit]
    return Listing(shown, int(total), (shown[-1].seq, "") if more and shown else None)


def message_of_event(tx: Tx, inbox_id: InboxId, event_id: EventId) -> MessageId | None:
    """The message (ULID) that an inbox's event is about."""
    query = "SELECT message_id FROM event WHERE id = ? AND inbox_id = ?"
    message_id: MessageId | None = sql(tx).value(query, event_id, inbox_id)
    return message_id


def message_has_event(tx: Tx, message_id: MessageId, types: Sequence[str]) -> bool:
    """Whether a message has an event of one of these types."""
    marks = ", ".join("?" * len(types))
    query = f"SELECT 1 FROM event WHERE message_id = ? AND type IN ({marks}) LIMIT 1"  # noqa: S608
    return sql(tx).value(query, message_id, *types) is not None


def events_of_message(tx: Tx, message_id: MessageId, types: Sequence[str], most: int) -> list[Event]:
    """The first ``most`` events of these types about a message."""
    marks = ", ".join("?" * len(types))
    return sql(tx).all(
        Event,
        f"WHERE message_id = ? AND type IN ({marks}) ORDER BY seq LIMIT ?",
        message_id,
        *types,
        most,
    )


# --- of any organization ---


def unscoped_event(tx: Tx, event_id: EventId) -> Event | None:
    """An event by its ULID."""
    return sql(tx).one(Event, "WHERE id = ?", event_id)


def unscoped_event_head(tx: Tx, event_id: EventId) -> EventHead | None:
    """An event by its ULID, without what happened."""
    return sql(tx).one(EventHead, "WHERE id = ?", event_id)


def unscoped_event_type(tx: Tx, event_id: EventId) -> str | None:
    """The type of an event; None when it is kept no more."""
    type: str | None = sql(tx).value("SELECT type FROM event WHERE id = ?", event_id)
    return type


def unscoped_has_event(tx: Tx, event_id: EventId) -> bool:
    """Whether an event is in the log."""
    return sql(tx).value("SELECT 1 FROM event WHERE id = ?", event_id) is not None


def unscoped_events(tx: Tx, event_ids: Sequence[EventId]) -> list[Event]:
    """The events with these ULIDs, in the order of the log."""
    marks = ", ".join("?" * len(event_ids))
    return sql(tx).all(Event, f"WHERE id IN ({marks}) ORDER BY seq", *event_ids)


def unscoped_event_heads_at(tx: Tx, seqs: Sequence[int]) -> list[EventHead]:
    """The events at these places in the log, in its order."""
    marks = ", ".join("?" * len(seqs))
    return sql(tx).all(EventHead, f"WHERE seq IN ({marks}) ORDER BY seq", *seqs)


def unscoped_newest_seq(tx: Tx) -> int:
    """The last place in the log; 0 while it is empty."""
    return int(sql(tx).value("SELECT max(seq) FROM event") or 0)


def unscoped_settled_until(tx: Tx) -> int | None:
    """Before which time (µs) no event can still be added below one that is there; None: there is no such time.

    PostgreSQL can commit a lower ``seq`` after a higher one, as long as the transaction that drew it runs. One that
    runs for more than a minute is not waited for.
    """
    if not tx.postgres:
        return None
    now = now_us()
    oldest = sql(tx).value(
        "SELECT CAST(extract(epoch FROM min(xact_start)) * 1000000 AS bigint) FROM pg_stat_activity "
        "WHERE datname = current_database() AND backend_xid IS NOT NULL"
    )
    started = now if oldest is None else max(int(oldest), now - _MOST_UNSETTLED_US)
    return min(now, started) - _SETTLED_US


def unscoped_event_heads(tx: Tx, after: int, most: int) -> list[EventHead]:
    """The first ``most`` events after a place in the log."""
    return sql(tx).all(EventHead, "WHERE seq > ? ORDER BY seq LIMIT ?", after, most)


def unscoped_inboxes_with_events(
    tx: Tx, types: Sequence[str], *, after: int | None = None, since: int | None = None
) -> list[InboxId]:
    """The inboxes (ULIDs) that had an event of these types after a place in the log, or since a time (µs)."""
    where, least = ("seq > ?", after) if after is not None else ("created_at > ?", since)
    marks = ", ".join("?" * len(types))
    rows = sql(tx).rows(
        f"SELECT DISTINCT inbox_id FROM event WHERE {where} AND type IN ({marks})",  # noqa: S608
        least,
        *types,
    )
    return [row["inbox_id"] for row in rows]


# --- changes ---


def add_event(
    tx: Tx,
    *,
    id: EventId,
    organization_id: OrganizationId,
    pod_id: PodId | None,
    inbox_id: InboxId | None,
    type: str,
    message_id: MessageId | None,
    payload_json: str,
    test: bool,
    created_at: int,
) -> EventHead | None:
    """Append an event to the log (``records.events.Event``); None when one with its id is there."""
    values = {
        "id": id,
        "organization_id": organization_id,
        "pod_id": pod_id,
        "inbox_id": inbox_id,
        "type": type,
        "message_id": message_id,
        "payload_json": payload_json,
        "test": int(test),
        "created_at": created_at,
    }
    if not sql(tx).insert("event", values, ignore=True):
        return None
    seq = sql(tx).value("SELECT seq FROM event WHERE id = ?", id)
    return EventHead(seq, id, organization_id, pod_id, inbox_id, type, test, created_at)


def unscoped_sweep_events(tx: Tx, before: int) -> None:
    """Delete events and label changes older than ``before`` (µs) with their deliveries and attempts, but what waits."""
    sql(tx).run("DELETE FROM attempt WHERE created_at < ?", before)
    sql(tx).run("DELETE FROM label_change WHERE created_at < ?", before)
    sql(tx).run("DELETE FROM delivery WHERE created_at < ? AND state <> 'pending'", before)
    sql(tx).run(
        "DELETE FROM event WHERE created_at < ? AND NOT EXISTS "
        "(SELECT 1 FROM delivery WHERE delivery.event_seq = event.seq AND delivery.state = 'pending')",
        before,
    )
