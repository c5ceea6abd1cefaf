"""The way of a sent message: the queue, what the servers of its recipients replied, and reports that came later."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.core.history.entry import MOST, Entry, Kind, Subject
from gateway.records.outbox import OutboxEntry, OutboxRecipient, OutboxReply, RecipientState
from gateway.store.queries.outbox import accepted_entry, people_of
from gateway.store.queries.outbox_replies import replies_of
from gateway.store.queries.reviews import review_of_message
from gateway.store.transaction import Tx

_KINDS: dict[RecipientState, Kind] = {
    "queued": "deferred",
    "attempting": "in_doubt",
    "sent": "handed_over",
    "delivered": "delivered",
    "bounced": "bounced",
}


def sending(tx: Tx, subject: Subject) -> Iterator[Entry]:
    """An entry for each reply about a recipient; of recipients without one, what is known of them."""
    entry = accepted_entry(tx, subject.inbox.id, subject.mail.message.id)
    if entry is None:
        return
    review = review_of_message(tx, subject.inbox.id, entry.id)
    if review is not None and review.state != "approved":
        return  # it never came into the queue
    people = people_of(tx, entry.id)
    if not subject.mail.message.test:
        count = len(people)
        words = f"put into the queue for {count} recipient{'' if count == 1 else 's'}"
        waits = entry.next_at if entry.state == "queued" and entry.claimed_until is None else None
        at = entry.queued_at or entry.created_at
        yield Entry(at=at, kind="queued", text=words, recipients=count, next_attempt_at=waits)
    replies = replies_of(tx, entry.id, MOST)
    for reply in replies:
        yield _reply(reply)
    told = {reply.address for reply in replies}
    if len(replies) < MOST:
        for person in people:
            if person.address not in told and (person.code is not None or person.state not in _KINDS_OPEN):
                yield _last_reply(entry, person)


_KINDS_OPEN = ("queued", "attempting")


def _reply(reply: OutboxReply) -> Entry:
    said = _said(reply.code, reply.status, reply.said)
    who, where = reply.address, f" ({reply.remote})" if reply.remote else ""
    if reply.source == "operator":
        words = f"{who}: given up by the operator of the server"
    elif reply.source == "report":
        told = {"delivered": "was delivered", "bounced": "was not delivered"}.get(reply.state, "is delayed")
        words = f"{who}: a report says that it {told}{where}{said}"
    else:
        words = f"{who}: attempt {reply.number} {_OUTCOMES[reply.state]}{where}{said}"
    return Entry(
        at=reply.at,
        kind="deferred" if reply.source == "report" and reply.state == "sent" else _KINDS[reply.state],
        text=words,
        recipient=who,
        source=reply.source,
        attempt=reply.number or None,
        code=reply.code,
        status=reply.status,
        reply=reply.said,
        remote=reply.remote,
        next_attempt_at=reply.next_at if reply.state == "queued" else None,
    )


_OUTCOMES: dict[RecipientState, str] = {
    "queued": "was put off",
    "attempting": "has no known outcome yet",
    "sent": "handed it over to the next mail server",
    "delivered": "delivered it",
    "bounced": "failed for good",
}


def _last_reply(entry: OutboxEntry, person: OutboxRecipient) -> Entry:
    """Of a message that was sent by a version that kept only the last reply, or by a sandbox key."""
    return Entry(
        at=max(person.updated_at, entry.created_at),
        kind=_KINDS[person.state],
        text=f"{person.address}: {person.state}{_said(person.code, person.status, person.diagnostic)}",
        recipient=person.address,
        attempt=person.attempts or None,
        code=person.code,
        status=person.status or None,
        reply=(person.diagnostic or "")[:500] or None,
        remote=person.remote or None,
    )


def _said(code: int | None, status: str | None, said: str | None) -> str:
    words = said or ""
    parts = [
        *([str(code)] if code is not None and not words.startswith(str(code)) else []),
        *([status] if status and status not in words else []),
        *([words] if words else []),
    ]
    return f": {' '.join(parts)}" if parts else ""
