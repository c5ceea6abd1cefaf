"""Statements about who wrote what to whom lately."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.mime.types import Traits
from gateway.records.exchanges import Turn
from gateway.records.ids import MessageId, ThreadId
from gateway.records.inboxes import Inbox
from gateway.records.mail import addresses
from gateway.store.queries.outbox import PARKED
from gateway.store.sql import Row, sql
from gateway.store.transaction import Tx

_MOST = 60
_MOST_SENT = 200
_COLUMNS = (
    "id, seq, timestamp, direction, thread_id, from_email, subject, auto_submitted, traits_json, to_json, cc_json, "
    "bcc_json, CASE WHEN direction = 'inbound' AND lower(headers_json) LIKE ? THEN 1 ELSE 0 END AS said, "
    "coalesce((SELECT length(coalesce(extracted_text, text)) FROM message_body WHERE message_id = message.id), 0) "
    "AS chars"
)
_SAID = '%"auto-submitted":"auto-%'
_TRAITS = msgspec.json.Decoder(Traits)


def exchange(
    tx: Tx,
    inbox: Inbox,
    thread_id: ThreadId,
    peers: Sequence[str],
    *,
    since: int,
    but: MessageId,
    least: int,
    label: str,
) -> list[Turn]:
    """What an inbox and ``peers`` (lower case) wrote to each other after ``since`` (µs), and what else is in the
    thread, the oldest first: some hundred messages at the most, without ``but``. Empty where fewer than ``least``
    came. What waits and has ``label`` is held back."""
    marks = ", ".join("?" * len(peers))
    came = f"inbox_id = ? AND direction = 'inbound' AND from_email IN ({marks})"
    rows = {
        row["id"]: row for row in _rows(tx, "thread_id = ? AND inbox_id = ?", [thread_id, inbox.id], since)
    }
    rows |= {row["id"]: row for row in _rows(tx, came, [inbox.id, *peers], since)}
    if sum(row["direction"] == "inbound" for row in rows.values()) < least:
        return []
    sent = _rows(tx, "inbox_id = ? AND direction = 'outbound'", [inbox.id], since, _MOST_SENT)
    rows |= {row["id"]: row for row in sent if _goes_to(row, peers)}
    rows.pop(but, None)
    # what came is known to the second only: in one second, the order in which it was indexed counts
    ordered = sorted(rows.values(), key=lambda row: (row["timestamp"] // 1_000_000, row["seq"]))
    ours = [row["id"] for row in ordered if row["direction"] == "outbound"]
    left, due = _left(tx, ours), _due(tx, ours, label)
    turns = (_turn(inbox, row, left, due) for row in ordered)
    return [one for one in turns if one is not None]


def _rows(tx: Tx, where: str, args: Sequence[object], since: int, most: int = _MOST) -> list[Row]:
    return sql(tx).rows(
        f"SELECT {_COLUMNS} FROM message WHERE {where} AND timestamp > ? AND test = 0 "  # noqa: S608
        "ORDER BY timestamp DESC, seq DESC LIMIT ?",
        _SAID,
        *args,
        since,
        most,
    )


def _goes_to(row: Row, peers: Sequence[str]) -> bool:
    people = (one.email.lower() for name in ("to", "cc", "bcc") for one in addresses(row[f"{name}_json"]))
    return not frozenset(peers).isdisjoint(people)


def _left(tx: Tx, ids: Sequence[MessageId]) -> dict[MessageId, int | None]:
    """When each was first handed over to anybody (µs), None while it waits; without those that the outbox forgot."""
    if not ids:
        return {}
    rows = sql(tx).rows(
        "SELECT outbox_id, min(CASE WHEN state IN ('sent', 'delivered') THEN updated_at END) AS at "  # noqa: S608
        f"FROM outbox_recipient WHERE outbox_id IN ({', '.join('?' * len(ids))}) AND role <> 'sent' GROUP BY outbox_id",
        *ids,
    )
    return {row["outbox_id"]: row["at"] for row in rows}


def _due(tx: Tx, ids: Sequence[MessageId], label: str) -> dict[MessageId, int]:
    """Until when (µs) those are held back that have ``label`` and were not tried yet."""
    if not ids:
        return {}
    rows = sql(tx).rows(
        f"SELECT id, next_at FROM outbox WHERE id IN ({', '.join('?' * len(ids))}) AND state = 'queued' "  # noqa: S608
        "AND attempts = 0 AND next_at < ? "
        "AND EXISTS (SELECT 1 FROM label WHERE label.message_id = outbox.id AND label.label = ?)",
        *ids,
        PARKED,
        label,
    )
    return {row["id"]: row["next_at"] for row in rows}


def _turn(
    inbox: Inbox, row: Row, left: dict[MessageId, int | None], due: dict[MessageId, int]
) -> Turn | None:
    """None for the inbox's own mail that a mailing list sent back."""
    inbound = row["direction"] == "inbound"
    traits = _TRAITS.decode(row["traits_json"])
    listed = traits.bulk or traits.list_id is not None
    own = inbound and row["from_email"] == inbox.address
    if own and listed:
        return None
    return Turn(
        at=row["timestamp"],
        inbound=inbound,
        chars=row["chars"],
        thread_id=row["thread_id"],
        subject=row["subject"],
        marked=inbound and bool(row["said"] or (row["auto_submitted"] and not listed)),
        echo=own,
        left=None if inbound else left.get(row["id"], row["timestamp"]),
        due=due.get(row["id"]),
    )
