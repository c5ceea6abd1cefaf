"""The delivery engine: posts events to webhooks, at least once, in order per inbox (DESIGN §1.5).

A *lane* is one webhook and one inbox. Within a lane the oldest pending delivery goes first; while it waits
for a retry the lane waits with it (``append`` gives new rows the lane's next time). A head that keeps failing
while its endpoint takes other events, or that has failed for hours, no longer holds its lane up.

Crash safety: a delivery row stays pending until its outcome is committed, so a kill repeats at most the posts
that were in flight, with the same id and body. Retries are scheduled before a row's second try, so a crash
loop cannot hammer an endpoint.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from gateway.events.log import EventLog
from gateway.events.schedule import Outcome, next_try
from gateway.events.webhook_signing import sign
from gateway.net.client import Answer, SafeClient
from gateway.net.errors import NetError
from gateway.settings import Settings
from gateway.store.bell import Bell
from gateway.store.engine import Row, Store, StoreDown, Tx
from gateway.store.ids import now_us
from gateway.store.jsontext import load

log = logging.getLogger("postern.webhooks")

Render = Callable[[Row], object]
"""An event row into the JSON value a dialect's webhooks get."""

_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_PER_WEBHOOK = 8
_LOOK_AHEAD = 400
_EXCERPT = 2048

_HEAD = (
    "SELECT delivery.id, delivery.webhook_id, delivery.inbox_id, delivery.lane, delivery.attempts, "
    "delivery.first_failed_at, webhook.url, webhook.dialect, webhook.secret, webhook.old_secret, "
    "webhook.old_secret_until, webhook.headers_json, webhook.failing_since, webhook.succeeded_at, "
    "event.id AS event_id, event.type AS event_type, event.payload_json, event.organization_id, event.pod_id, "
    "event.message_id, event.created_at AS event_at, event.test "
    "FROM delivery JOIN webhook ON webhook.id = delivery.webhook_id JOIN event ON event.seq = delivery.event_seq "
)


class WebhookDelivery:
    """Runs every lane. ``renderers`` maps a dialect's name to its rendering of an event row."""

    def __init__(
        self,
        store: Store,
        events: EventLog,
        client: SafeClient,
        settings: Settings,
        renderers: Mapping[str, Render],
    ) -> None:
        self._store, self._events, self._client = store, events, client
        self._settings, self._renderers = settings.webhooks, renderers
        self._keep_us = settings.events.keep_days * _DAY
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._busy: Counter[str] = Counter()
        self._slow: set[str] = set()
        self._bell: Bell | None = None
        self._loop: asyncio.Task[None] | None = None
        self._unlisten: Callable[[], None] | None = None

    async def start(self) -> None:
        """Start; whatever was pending when the last process ended is taken up at once."""
        self._bell = Bell()
        self._unlisten = self._events.listen(self._bell.ring)
        self._loop = asyncio.create_task(self._run(self._bell), name="webhooks")

    async def stop(self) -> None:
        """Let posts in flight end (a few seconds at most), then stop."""
        if self._unlisten:
            self._unlisten()
        if self._loop:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        tasks = list(self._lanes.values())
        if tasks:
            await asyncio.wait(tasks, timeout=3.0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, bell: Bell) -> None:
        swept = 0
        while True:
            pause = 1.0
            try:
                due = await self._store.read(_due_lanes)
                for row in due:
                    self._open_lane(row["lane"], row["webhook_id"])
                if now_us() - swept > 3600 * _SECOND:
                    await self._store.write(partial(_sweep, before=now_us() - self._keep_us))
                    swept = now_us()
                upcoming = await self._store.read(
                    lambda tx: tx.value(
                        "SELECT min(next_at) FROM delivery WHERE state = 'pending' AND next_at > ?", now_us()
                    )
                )
                if upcoming is not None:
                    pause = min(pause, max((upcoming - now_us()) / _SECOND, 0.005))
            except StoreDown as error:
                log.warning("webhook deliveries wait for the database: %s", error)
            await bell.wait(pause)

    def _open_lane(self, lane: str, webhook: str) -> None:
        limit = 1 if webhook in self._slow else _PER_WEBHOOK
        if lane in self._lanes or self._busy[webhook] >= limit:
            return
        if len(self._lanes) >= self._settings.concurrency * _PER_WEBHOOK:
            return
        self._busy[webhook] += 1
        task = asyncio.create_task(self._drain(lane, webhook), name=f"lane-{lane}")
        self._lanes[lane] = task
        task.add_done_callback(partial(self._closed, lane, webhook))

    def _closed(self, lane: str, webhook: str, task: asyncio.Task[None]) -> None:
        self._lanes.pop(lane, None)
        self._busy[webhook] -= 1
        if self._busy[webhook] <= 0:
            del self._busy[webhook]
        if not task.cancelled() and task.exception() is not None:
            log.error("webhook lane %s stopped; it is opened again", lane, exc_info=task.exception())
        if self._bell is not None:
            self._bell.ring()

    async def _drain(self, lane: str, webhook: str) -> None:
        row = await self._store.read(partial(_next_in_lane, lane=lane))
        while row is not None:
            answer, error = await self._post(row)
            row = await self._store.write(partial(self._settle, row=row, answer=answer, error=error))

    async def _post(self, row: Row) -> tuple[Answer | None, str | None]:
        body = self.body_of(row)
        if body is None:
            return None, None
        secrets = [row["secret"]]
        if row["old_secret"] and (row["old_secret_until"] or 0) > now_us():
            secrets.append(row["old_secret"])
        headers = {
            **(load(row["headers_json"]) or {}),
            "Content-Type": "application/json",
            "User-Agent": "Postern-Webhooks/1",
            **sign(secrets, f"evt_{row['event_id']}", now_us() // _SECOND, body),
        }
        try:
            answer = await self._client.post(row["url"], body, headers, timeout=self._settings.timeout)
        except NetError as error:
            self._slow.add(row["webhook_id"])
            return None, f"{type(error).__name__}: {error}"
        if answer.ok and answer.duration_ms < 5000:
            self._slow.discard(row["webhook_id"])
        return answer, None

    def body_of(self, row: Row) -> bytes | None:
        """The exact bytes posted for a joined delivery row; None when its dialect has no such event."""
        value = self._renderers[row["dialect"]](
            {
                **row,
                "id": row["event_id"],
                "type": row["event_type"],
                "created_at": row["event_at"],
            }
        )
        return None if value is None else msgspec.json.encode(value)

    def _settle(self, tx: Tx, row: Row, answer: Answer | None, error: str | None) -> Row | None:
        now = now_us()
        number = row["attempts"] + 1
        if answer is None and error is None:  # nothing to say in this dialect
            tx.run("UPDATE delivery SET state = 'done' WHERE id = ?", row["id"])
            return _next_in_lane(tx, row["lane"])
        tx.insert(
            "attempt",
            {
                "delivery_id": row["id"],
                "webhook_id": row["webhook_id"],
                "number": number,
                "url": row["url"],
                "status": answer.status if answer else None,
                "response": _excerpt(answer),
                "error": error,
                "duration_ms": int(answer.duration_ms) if answer else None,
                "created_at": now,
            },
        )
        if answer is not None and answer.ok:
            tx.run(
                "UPDATE delivery SET state = 'done', attempts = ? WHERE id = ?",
                number,
                row["id"],
            )
            if row["failing_since"] is not None or (row["succeeded_at"] or 0) < now - 5 * _SECOND:
                tx.run(
                    "UPDATE webhook SET succeeded_at = ?, failing_since = NULL WHERE id = ?",
                    now,
                    row["webhook_id"],
                )
            return _next_in_lane(tx, row["lane"])
        outcome = next_try(
            number,
            status=answer.status if answer else None,
            retry_after=answer.headers.get("retry-after") if answer else None,
            now=now / _SECOND,
            scale=self._settings.retry_scale,
        )
        self._failed(tx, row, outcome, number, now, error or f"HTTP {answer.status if answer else '?'}")
        return _next_in_lane(tx, row["lane"])

    def _failed(self, tx: Tx, row: Row, outcome: Outcome, number: int, now: int, why: str) -> None:
        since = row["failing_since"] or now
        if row["failing_since"] is None:
            tx.run("UPDATE webhook SET failing_since = ? WHERE id = ?", now, row["webhook_id"])
        limit = self._settings.disable_after_days * _DAY * self._settings.retry_scale
        if outcome.disable or now - since > limit:
            reason = "the endpoint answered 410 Gone" if outcome.disable else f"it kept failing: {why}"
            log.warning(
                "webhook wh_%s (%s) is switched off: %s; PATCH it with enabled true and replay when it is mended",
                row["webhook_id"],
                row["url"],
                reason,
            )
            tx.run(
                "UPDATE webhook SET enabled = 0, disabled_reason = ?, updated_at = ? WHERE id = ?",
                reason,
                now,
                row["webhook_id"],
            )
            tx.run("UPDATE delivery SET state = 'failed', attempts = attempts + 1 WHERE id = ?", row["id"])
            tx.run(
                "UPDATE delivery SET state = 'failed' WHERE webhook_id = ? AND state = 'pending'",
                row["webhook_id"],
            )
            return
        if outcome.delay is None:
            log.warning(
                "webhook wh_%s: event evt_%s failed for good after %d tries (%s); replay it when the endpoint is back",
                row["webhook_id"],
                row["event_id"],
                number,
                why,
            )
            tx.run("UPDATE delivery SET state = 'failed', attempts = ? WHERE id = ?", number, row["id"])
            tx.run("UPDATE delivery SET next_at = 0 WHERE lane = ? AND state = 'pending'", row["lane"])
            return
        first = row["first_failed_at"] or now
        at = now + int(outcome.delay * _SECOND)
        tx.run(
            "UPDATE delivery SET attempts = ?, first_failed_at = ?, next_at = ? WHERE id = ?",
            number,
            first,
            at,
            row["id"],
        )
        poison = number >= 5 and (row["succeeded_at"] or 0) > first
        if not poison and number < 8:  # the lane waits with its head
            tx.run("UPDATE delivery SET next_at = ? WHERE lane = ? AND state = 'pending'", at, row["lane"])
        else:
            tx.run(
                "UPDATE delivery SET next_at = 0 WHERE lane = ? AND state = 'pending' AND attempts = 0",
                row["lane"],
            )


def _due_lanes(tx: Tx) -> list[Row]:
    rows = tx.rows(
        "SELECT delivery.lane, delivery.webhook_id FROM delivery JOIN webhook ON webhook.id = delivery.webhook_id "
        "WHERE delivery.state = 'pending' AND delivery.next_at <= ? AND webhook.enabled = 1 "
        "ORDER BY delivery.next_at, delivery.id LIMIT ?",
        now_us(),
        _LOOK_AHEAD,
    )
    return list({row["lane"]: row for row in rows}.values())


def _next_in_lane(tx: Tx, lane: str) -> Row | None:
    return tx.row(
        _HEAD + "WHERE delivery.lane = ? AND delivery.state = 'pending' AND delivery.next_at <= ? "
        "AND webhook.enabled = 1 ORDER BY delivery.id LIMIT 1",
        lane,
        now_us(),
    )


def _excerpt(answer: Answer | None) -> str | None:
    if answer is None:
        return None
    return answer.body_excerpt[:_EXCERPT].decode("utf-8", "replace").replace("\x00", "")


def _sweep(tx: Tx, before: int) -> None:
    """Forget what can no longer be replayed."""
    tx.run("DELETE FROM attempt WHERE created_at < ?", before)
    tx.run("DELETE FROM label_change WHERE created_at < ?", before)
    tx.run("DELETE FROM delivery WHERE created_at < ? AND state <> 'pending'", before)
    tx.run(
        "DELETE FROM event WHERE created_at < ? AND NOT EXISTS "
        "(SELECT 1 FROM delivery WHERE delivery.event_seq = event.seq AND delivery.state = 'pending')",
        before,
    )
