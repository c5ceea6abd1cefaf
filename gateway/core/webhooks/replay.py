"""Posting events to a webhook again: named ones, all since a time, those that were given up, or that of a try."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from gateway.core.context import Core
from gateway.core.errors import Invalid, NotFound
from gateway.core.event_reach import may_hear
from gateway.core.lookup import require
from gateway.core.webhooks.webhooks import Among, check_readable, find_webhook
from gateway.events.delivery_queue import BEHIND, enqueue, in_order, withdraw
from gateway.events.log import wants
from gateway.events.reach import HELD, may_carry
from gateway.store.engine import Row, Tx
from gateway.store.ids import number_in, parse_id
from gateway.store.json_columns import load
from gateway.store.scope import Scope

_STEP = 200


async def replay(
    core: Core,
    scope: Scope,
    among: Among,
    ref: str,
    *,
    since: int | None = None,
    event_ids: Sequence[str] = (),
    failed: bool = False,
) -> int:
    """Deliver events again: the named ones, all since a time (µs), or those that failed; answers how many.

    A replayed event has the same id and body as before. A long replay is written in steps, between which others write:
    what a failure leaves undone is done by the same call again.
    """
    require(scope, "webhook_update")
    if not (event_ids or failed or since is not None):
        raise Invalid("nothing names what to replay", field="since", fix="give since, event_ids or failed")
    hook, seqs = await core.store.read(
        partial(_chosen, scope=scope, among=among, ref=ref, since=since, event_ids=event_ids, failed=failed)
    )
    count = 0
    for at in range(0, len(seqs), _STEP):
        count += await core.store.write(partial(_queue_again, hook=hook, seqs=seqs[at : at + _STEP]))
        core.events.ring()
    return count


async def resend(core: Core, scope: Scope, among: Among, ref: str, attempt: str) -> Row:
    """Post the event of one attempt again now, with the same id and body; answers the attempt's row.

    The delivery goes on: a failure counts on from its tries, and after the last one nothing follows. Raises NotFound.
    """
    require(scope, "webhook_update")

    def write(tx: Tx) -> Row:
        hook = _held(tx, scope, among, ref)
        row = tx.row(
            "SELECT * FROM attempt WHERE id = ? AND webhook_id = ?", number_in(attempt) or 0, hook["id"]
        )
        if row is None:
            raise NotFound(
                f"there is no attempt {attempt[:100]!r} of this webhook",
                fix="GET /webhooks/{webhook_id}/attempts lists them",
            )
        event = tx.row("SELECT * FROM event WHERE id = ?", row["event_id"])
        if event is None or not _may(scope, hook, event):
            raise NotFound("the event of this attempt is kept no more")
        in_order(tx, scope.organization, event["inbox_id"])
        held = tx.row(
            "SELECT id, state, next_at FROM delivery WHERE event_seq = ? AND webhook_id = ? ORDER BY id DESC",
            event["seq"],
            hook["id"],
        )
        if held is None:
            enqueue(tx, event["seq"], hook["id"], hook["dialect"], event["inbox_id"])
        elif held["state"] != "pending" or held["next_at"] < BEHIND:  # (else its turn comes by itself)
            tx.update("delivery", "id", held["id"], {"state": "pending", "next_at": 0})
        return row

    attempted = await core.store.write(write)
    core.events.ring()
    return attempted


def _chosen(
    tx: Tx,
    *,
    scope: Scope,
    among: Among,
    ref: str,
    since: int | None,
    event_ids: Sequence[str],
    failed: bool,
) -> tuple[Row, list[int]]:
    """The webhook's row and the ``seq`` of each event to replay, ascending."""
    hook = _held(tx, scope, among, ref)
    if not hook["enabled"]:
        raise Invalid("the webhook is disabled", field="webhook_id", fix="PATCH it with enabled true first")
    chosen: set[int] = set()
    columns = "event.seq, event.inbox_id, event.pod_id, event.type, event.test, event.organization_id"
    if failed:
        for row in tx.rows(
            f"SELECT {columns} FROM delivery JOIN event ON event.seq = delivery.event_seq "  # noqa: S608
            "WHERE delivery.webhook_id = ? AND delivery.state = 'failed' AND delivery.created_at >= ?",
            hook["id"],
            since or 0,
        ):
            if _may(scope, hook, row):
                chosen.add(row["seq"])
    elif since is not None:
        for row in tx.rows(
            f"SELECT {columns} FROM event WHERE organization_id = ? AND created_at >= ?",  # noqa: S608
            scope.organization,
            since,
        ):
            if _may(scope, hook, row) and wants(hook, row["type"], row["pod_id"], row["inbox_id"]):
                chosen.add(row["seq"])
    for one in event_ids:
        event = tx.row(
            f"SELECT {columns} FROM event WHERE id = ? AND organization_id = ?",  # noqa: S608
            parse_id("evt", one) or "",
            scope.organization,
        )
        if event is None or not _may(scope, hook, event):
            raise NotFound(
                f"there is no event {one[:100]!r}", field="event_ids", fix="GET /events lists them"
            )
        chosen.add(event["seq"])
    return hook, sorted(chosen)


def _queue_again(tx: Tx, *, hook: Row, seqs: Sequence[int]) -> int:
    """Queue events of the webhook's organization for it, behind what waits; those deleted meanwhile are left out."""
    if tx.value("SELECT 1 FROM webhook WHERE id = ?", hook["id"]) is None:
        return 0
    marks = ", ".join("?" * len(seqs))
    events = tx.rows(f"SELECT seq, inbox_id FROM event WHERE seq IN ({marks}) ORDER BY seq", *seqs)  # noqa: S608
    for inbox_id in sorted({row["inbox_id"] or "" for row in events}):
        in_order(tx, hook["organization_id"], inbox_id)
    for row in events:
        withdraw(tx, row["seq"], hook["id"])
        enqueue(tx, row["seq"], hook["id"], hook["dialect"], row["inbox_id"])
    return len(events)


def _may(scope: Scope, hook: Row, event: Row) -> bool:
    """Whether the webhook may carry an event, and the key that asks may read it."""
    return may_carry(hook, event) and may_hear(scope, event)


def _held(tx: Tx, scope: Scope, among: Among, ref: str) -> Row:
    """The webhook, joined with the key that answers for it. Raises NotFound, Forbidden."""
    row = find_webhook(tx, scope, among, ref)
    check_readable(scope, load(row["event_types_json"]))
    held = tx.row(f"SELECT webhook.*, holder.* FROM webhook {HELD}WHERE webhook.id = ?", row["id"])  # noqa: S608
    assert held is not None
    return held
