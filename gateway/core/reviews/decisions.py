"""Deciding: a held message is approved or rejected once, in one transaction with its row in the outbox and the events.

Approval sends exactly the octets to exactly the recipients that were held: the review's digest names them. Whoever
asked for a message does not decide about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from gateway.core.context import Core
from gateway.core.errors import Conflict, Forbidden, NotFound
from gateway.core.lookup import require
from gateway.core.reviews.reading import find
from gateway.core.sending.suppressions import suppressed_error
from gateway.core.text import clean_text
from gateway.events.reviews import ReviewEvent, announce
from gateway.mime.addresses import normalise
from gateway.mime.types import Address
from gateway.outbox.digest import digest_of
from gateway.outbox.record import DeliveryEvents
from gateway.records.ids import KEY_ID, KeyId, ReviewId, now_us
from gateway.records.inboxes import Inbox
from gateway.records.outbox import OutboxEntry
from gateway.records.reviews import Review, ReviewState
from gateway.store.contacts import note_recipients
from gateway.store.queries import outbox, reviews
from gateway.store.queries.inboxes import unscoped_lasting_inbox
from gateway.store.queries.locations import is_located
from gateway.store.queries.reviews import ReviewedMessage
from gateway.store.queries.sent_messages import set_rejected
from gateway.store.scope import Scope
from gateway.store.suppressions import suppressed
from gateway.store.transaction import Tx

MAX_REASON = 1000
_STATUS = "5.7.1"  # RFC 3463 §3.8: delivery not authorized


@dataclass(frozen=True, slots=True)
class Decider:
    """Who decides. ``name``: ``key_…``, or the address of a reviewer; ``key_id``: of the key, if it is one."""

    name: str
    key_id: KeyId | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """A review that can be decided now, with its inbox and its row in the outbox, which nobody else changes."""

    review: Review
    inbox: Inbox
    entry: OutboxEntry


async def approve(core: Core, scope: Scope, ref: str, digest: str | None = None) -> ReviewedMessage:
    """Have a held message sent. ``digest``: of what the decider saw; None: whatever is held.

    Raises NotFound, Forbidden, and Conflict: it is decided or expired, it is not what was held, or it may not be sent.
    """
    require(scope, "review_decide")
    decider = decider_of(scope)
    found = await core.store.read(lambda tx: find(tx, scope, ref))
    async with core.memory.hold(found.review.organization_id, 2 * (found.size or 0)):
        await core.store.write(
            partial(approve_held, core=core, review_id=found.review.id, decider=decider, digest=digest)
        )
    return await core.store.read(lambda tx: find(tx, scope, ref))


async def reject(core: Core, scope: Scope, ref: str, reason: str | None) -> ReviewedMessage:
    """Have a held message never sent. ``reason``: in the decider's words, for who asked.

    Raises NotFound, Forbidden, Invalid, and Conflict: it is decided or expired.
    """
    require(scope, "review_decide")
    decider = decider_of(scope)
    words = clean_text(reason, "reason", MAX_REASON)
    found = await core.store.read(lambda tx: find(tx, scope, ref))
    await core.store.write(
        partial(reject_held, core=core, review_id=found.review.id, decider=decider, reason=words)
    )
    return await core.store.read(lambda tx: find(tx, scope, ref))


def approve_held(tx: Tx, core: Core, review_id: ReviewId, decider: Decider, digest: str | None) -> None:
    """As :func:`approve`, in the caller's transaction."""
    held = undecided(tx, review_id, decider)
    review, message_id = held.review, held.review.message_id
    if digest is not None and digest != review.digest:
        raise digest_error(review)
    if is_located(tx, message_id):
        _settle_as_sent(tx, core, held, decider)
        return
    if held.inbox.status != "active":
        raise Conflict(
            "sending is suspended for this inbox",
            code="inbox_suspended",
            fix="reactivate it first, or reject",
        )
    people = [(one.address, one.role) for one in outbox.people_of(tx, message_id)]
    mime = outbox.mime_of(tx, message_id)
    if mime is None or digest_of(held.entry.mail_from, people, mime) != review.digest:
        raise Conflict(
            "what is in the outbox is not the message that was held: its digest is another one",
            code="digest_changed",
            fix="reject it, and have it sent again",
        )
    unwanted = suppressed(tx, review.organization_id, [normalise(address) for address, _ in people])
    refused = suppressed_error(unwanted, [(role, address) for address, role in people])
    if refused is not None:
        raise Conflict(
            f"{refused.message} since the message was held", code="recipient_suppressed", fix="reject it"
        )
    now = now_us()
    reviews.release_held(tx, message_id, now)
    written_to = [Address("", address) for address, role in people if role != "sent"]
    note_recipients(tx, held.inbox, written_to, now, again=False)
    _note(tx, core, held, "approved", decider.name, now, None)
    tx.after_commit.append(core.outbox_wake.set)


def reject_held(tx: Tx, core: Core, review_id: ReviewId, decider: Decider, reason: str | None) -> None:
    """As :func:`reject`, in the caller's transaction."""
    held = undecided(tx, review_id, decider)
    words = f"rejected by a reviewer: {reason}" if reason else "rejected by a reviewer"
    _give_up(tx, core, held, "rejected", decider, reason, words)


def expire(tx: Tx, core: Core, review_id: ReviewId) -> None:
    """Reject a held message that nobody decided about in time, unless somebody did just now."""
    review = reviews.hold_review(tx, review_id)
    if review is None or review.state != "pending" or review.expires_at > now_us():
        return
    held = _held(tx, review)
    if held is not None:
        _give_up(tx, core, held, "expired", None, None, "nobody approved it in time")


def digest_error(review: Review) -> Conflict:
    """The refusal of a decision about a message that is another one by now."""
    return Conflict(
        "the message was changed since you read it: its digest is another one",
        code="digest_changed",
        field="digest",
        fix=f"read GET /reviews/{review.public_id} again, and decide about what it shows",
    )


def decider_of(scope: Scope) -> Decider:
    """Who decides with a key. Raises Forbidden for a key that decides nothing."""
    if scope.kind == "inbox" or scope.test:
        raise Forbidden(
            f"a {'sandbox key' if scope.test else 'key of one inbox'} decides no reviews",
            fix="use a live key of the organization or of the pod",
        )
    if scope.operator:
        return Decider("operator", scope.key_id)
    return Decider(KEY_ID.public(scope.key_id) or "unknown", scope.key_id)


def undecided(tx: Tx, review_id: ReviewId, decider: Decider) -> Open:
    """A review that this decider can decide now. Raises NotFound, Forbidden, Conflict."""
    review = reviews.hold_review(tx, review_id)
    if review is None:
        raise NotFound("the review is gone: its inbox was deleted", fix="GET /reviews lists the reviews")
    if review.state in ("approved", "rejected"):
        raise Conflict(
            f"the review was {review.state} already, and that stays",
            code="review_decided",
            fix=f"GET /reviews/{review.public_id} says by whom",
        )
    if review.state == "expired" or review.expires_at <= now_us():
        raise Conflict(
            "the review expired: nobody decided in time, so the message is not sent",
            code="review_expired",
            fix="have the message sent again",
        )
    if decider.key_id is not None and decider.key_id == review.asked_by:
        raise Forbidden(
            "the key that asked for a message does not decide about it",
            fix="use another key with review_decide",
        )
    held = _held(tx, review)
    if held is None:
        raise NotFound("the message is gone", fix="GET /reviews lists the reviews")
    return held


def _held(tx: Tx, review: Review) -> Open | None:
    inbox = unscoped_lasting_inbox(tx, review.inbox_id)
    entry = outbox.hold_entry(tx, review.message_id)
    return None if inbox is None or entry is None or entry.state != "held" else Open(review, inbox, entry)


def _give_up(
    tx: Tx,
    core: Core,
    held: Open,
    state: ReviewState,
    decider: Decider | None,
    reason: str | None,
    words: str,
) -> None:
    """Settle a held message as one that never left. ``words``: why, for who asked."""
    if is_located(tx, held.entry.id):
        _settle_as_sent(tx, core, held, decider)
        return
    now = now_us()
    for one in outbox.unsettled_recipients(tx, held.entry.id):
        # without a code: no server said it (see ``store.queries.reputation``)
        outbox.change_recipient(
            tx, one.id, state="bounced", code=None, status=_STATUS, diagnostic=words, updated_at=now
        )
    outbox.settle_entry(tx, held.entry.id, held.entry.size, now)
    set_rejected(tx, held.entry.id)
    _note(tx, core, held, state, decider.name if decider else None, now, reason)
    DeliveryEvents(tx, core.events, held.inbox, held.entry.id).rejected(words, now)


def _settle_as_sent(tx: Tx, core: Core, held: Open, decider: Decider | None) -> None:
    """It is in Sent: it was approved and sent after the backup was made that this database was restored from."""
    now = now_us()
    for one in outbox.unsettled_recipients(tx, held.entry.id):
        outbox.change_recipient(tx, one.id, state="sent", updated_at=now)
    outbox.settle_entry(tx, held.entry.id, held.entry.size, now)
    _note(tx, core, held, "approved", decider.name if decider else None, now, None)


_EVENTS: dict[ReviewState, ReviewEvent] = {
    "approved": "message.approved",
    "rejected": "review.rejected",
    "expired": "review.expired",
}


def _note(
    tx: Tx, core: Core, held: Open, state: ReviewState, by: str | None, at: int, reason: str | None
) -> None:
    review = replace(held.review, state=state, decided_by=by, decided_at=at, reason=reason)
    reviews.note_decision(tx, review.id, state, by, at, reason)
    announce(tx, core.events, held.inbox, review, _EVENTS[state])
