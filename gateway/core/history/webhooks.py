"""Which webhooks the events of a message were posted to, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway.core.history.entry import MOST, Entry, Subject
from gateway.records.ids import WEBHOOK_ID
from gateway.records.webhooks import DeliveryState
from gateway.store.queries.deliveries import BEHIND, PostedEvent, posted_events_of_message
from gateway.store.transaction import Tx

_RESULTS: dict[DeliveryState, str] = {"done": "taken", "pending": "waiting", "failed": "failed"}


def webhooks(tx: Tx, subject: Subject) -> Iterator[Entry]:
    """An entry for each event and webhook, at the time of the last try. Only for keys that may read webhooks, and of
    those that the key reaches."""
    if not subject.scope.allows("webhook_read"):
        return
    for posted in posted_events_of_message(tx, subject.scope, subject.mail.message.id, MOST):
        yield _entry(posted)


def _entry(posted: PostedEvent) -> Entry:
    host = _host(posted.url)
    tries = f"{posted.attempts} {'try' if posted.attempts == 1 else 'tries'}"
    answer = f" ({posted.status})" if posted.status is not None else ""
    what = f"{posted.event_type} for the webhook {WEBHOOK_ID.public(posted.webhook_id)} at {host}"
    if posted.state == "done":
        words = f"{what}: taken{answer} after {tries}" if posted.attempts else f"{what}: done"
    elif posted.state == "failed":
        words = f"{what}: given up after {tries}{answer}"
    else:
        words = f"{what}: waits, {tries} so far{answer}"
    waits = posted.state == "pending" and posted.attempts and posted.next_at < BEHIND
    return Entry(
        at=posted.tried_at or posted.created_at,
        kind="webhook",
        text=words,
        event_id=posted.event_id,
        event_type=posted.event_type,
        webhook_id=posted.webhook_id,
        host=host,
        result=_RESULTS[posted.state],
        tries=posted.attempts,
        http_status=posted.status,
        error=(posted.error or "")[:300] or None,
        next_attempt_at=posted.next_at if waits else None,
    )


def _host(url: str) -> str:
    """The host alone: the rest of a URL may be a secret."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
