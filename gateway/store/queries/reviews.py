"""Statements about reviews of held messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.records.ids import InboxId, MessageId, OrganizationId, ReviewId, ThreadId, now_us
from gateway.records.outbox import OutboxRecipient
from gateway.records.reviews import Review, ReviewEdit, ReviewState
from gateway.store.json_columns import dump
from gateway.store.listing import Listing, Window, page
from gateway.store.queries.inboxes import unscoped_inbox_addresses
from gateway.store.scope import Scope
from gateway.store.sql import sql
from gateway.store.transaction import Tx

NOBODY = 0
"""``notified_at`` of a review that nobody was written to about: no policy named a reviewer."""


@dataclass(frozen=True, slots=True)
class ReviewedMessage:
    """A review with what a list shows of its message. ``inbox``: its address; ``subject`` and ``thread_id`` None: the
    message is not indexed any more. ``recipients``: without the copy for the Sent folder. ``size``: octets that are
    held; None: it is settled, and they are gone."""

    review: Review
    inbox: str | None
    subject: str | None
    thread_id: ThreadId | None
    recipients: Sequence[OutboxRecipient]
    size: int | None


# --- of one organization ---


def list_reviews(
    tx: Tx, scope: Scope, window: Window, inbox_id: InboxId | None, state: ReviewState | None
) -> Listing[ReviewedMessage]:
    """The reviews of an inbox, or of all that the key reaches (the operator's: every one), in one state or in any."""
    where, args = _reach(scope)
    for column, value in (("inbox_id", inbox_id), ("state", state)):
        if value is not None:
            where, args = f"{where} AND {column} = ?", [*args, value]
    found = page(tx, Review, where, args, window)
    return Listing(_dressed(tx, found.rows), found.total, found.next)


def find_review(tx: Tx, scope: Scope, review_id: ReviewId | None) -> ReviewedMessage | None:
    """One review of the organization (the operator's: of any). Whether the key reaches its inbox is for the caller."""
    where, args = ("1 = 1", []) if scope.operator else ("organization_id = ?", [scope.organization])
    review = sql(tx).one(Review, f"WHERE id = ? AND {where}", review_id, *args)
    return None if review is None else _dressed(tx, [review])[0]


def review_of_message(tx: Tx, inbox_id: InboxId, message_id: MessageId) -> Review | None:
    """The review of an inbox's message; None when it was never held."""
    return sql(tx).one(Review, "WHERE message_id = ? AND inbox_id = ?", message_id, inbox_id)


def _reach(scope: Scope) -> tuple[str, list[object]]:
    if scope.operator:
        return "1 = 1", []
    where, args = scope.inbox_where("inbox")
    where = f"organization_id = ? AND inbox_id IN (SELECT id FROM inbox WHERE {where})"  # noqa: S608
    return where, [scope.organization, *args]


def _dressed(tx: Tx, reviews: Sequence[Review]) -> list[ReviewedMessage]:
    """Reviews with what is known of their messages, for one statement each."""
    if not reviews:
        return []
    ids = [one.message_id for one in reviews]
    marks = ", ".join("?" * len(ids))
    addresses = unscoped_inbox_addresses(tx, {one.inbox_id for one in reviews})
    messages = {
        row["id"]: (row["subject"], row["thread_id"])
        for row in sql(tx).rows(f"SELECT id, subject, thread_id FROM message WHERE id IN ({marks})", *ids)  # noqa: S608
    }
    people: dict[MessageId, list[OutboxRecipient]] = {one: [] for one in ids}
    for one in sql(tx).all(
        OutboxRecipient, f"WHERE outbox_id IN ({marks}) AND role <> 'sent' ORDER BY id", *ids
    ):
        people[one.outbox_id].append(one)
    sizes = {
        row["id"]: row["size"]
        for row in sql(tx).rows(
            f"SELECT id, size FROM outbox WHERE id IN ({marks}) AND mime IS NOT NULL",  # noqa: S608
            *ids,
        )
    }
    return [
        ReviewedMessage(
            one,
            addresses.get(one.inbox_id),
            *messages.get(one.message_id, (None, None)),
            people[one.message_id],
            sizes.get(one.message_id),
        )
        for one in reviews
    ]


# --- of any organization ---


def unscoped_expired_reviews(tx: Tx, now: int, most: int) -> list[ReviewId]:
    """Up to ``most`` reviews that nobody decided about in time (``now``: µs), the oldest first."""
    rows = sql(tx).rows(
        "SELECT id FROM review WHERE state = 'pending' AND expires_at <= ? ORDER BY expires_at LIMIT ?",
        now,
        most,
    )
    return [ReviewId(row["id"]) for row in rows]


def unscoped_review(tx: Tx, review_id: ReviewId) -> ReviewedMessage | None:
    """A review of any organization, with what is known of its message."""
    review = sql(tx).one(Review, "WHERE id = ?", review_id)
    return None if review is None else _dressed(tx, [review])[0]


def unscoped_organizations_to_notify(tx: Tx) -> list[OrganizationId]:
    """The organizations that have held messages whose reviewers were not written to."""
    rows = sql(tx).rows(
        "SELECT DISTINCT organization_id FROM review WHERE state = 'pending' AND notified_at IS NULL"
    )
    return [OrganizationId(row["organization_id"]) for row in rows]


def unscoped_reviews_to_notify(tx: Tx, organization: OrganizationId, most: int) -> list[ReviewedMessage]:
    """Up to ``most`` of an organization's held messages whose reviewers were not written to, the oldest first."""
    where = "WHERE state = 'pending' AND notified_at IS NULL AND organization_id = ? ORDER BY created_at, id LIMIT ?"
    return _dressed(tx, sql(tx).all(Review, where, organization, most))


def last_notice_at(tx: Tx, organization: OrganizationId) -> int | None:
    """When (µs) reviewers of an organization were last written to."""
    query = "SELECT max(notified_at) FROM review WHERE organization_id = ? AND notified_at > ?"
    found = sql(tx).value(query, organization, NOBODY)
    return None if found is None else int(found)


def claim_notice(tx: Tx, review_ids: Sequence[ReviewId], at: int) -> bool:
    """Note that the reviewers of these are written to (``at``: µs, or ``NOBODY``); False, and nothing is noted, when
    another process did so, or somebody decided meanwhile."""
    if not review_ids:
        return False
    marks = ", ".join("?" * len(review_ids))
    lock = " FOR UPDATE" if tx.postgres else ""  # SQLite has one writer at a time
    where = f"id IN ({marks}) AND state = 'pending' AND notified_at IS NULL"
    if len(sql(tx).rows(f"SELECT id FROM review WHERE {where}{lock}", *review_ids)) < len(review_ids):  # noqa: S608
        return False
    sql(tx).run(f"UPDATE review SET notified_at = ? WHERE {where}", at, *review_ids)  # noqa: S608
    return True


# --- of one review ---


def hold_review(tx: Tx, review_id: ReviewId) -> Review | None:
    """A review, which nobody else can decide until the transaction ends."""
    lock = " FOR UPDATE" if tx.postgres else ""  # SQLite has one writer at a time
    return sql(tx).one(Review, f"WHERE id = ?{lock}", review_id)


def add_review(tx: Tx, review: Review) -> None:
    """Write a review."""
    sql(tx).add(review)


def note_decision(
    tx: Tx, review_id: ReviewId, state: ReviewState, by: str | None, at: int, reason: str | None
) -> None:
    """Write what was decided of a review that :func:`hold_review` found pending."""
    changes = {"state": state, "decided_by": by, "decided_at": at, "reason": reason, "updated_at": now_us()}
    sql(tx).update("review", "id", review_id, changes)


def note_edit(tx: Tx, review: Review, digest: str, edit: ReviewEdit) -> None:
    """Write that a held message was changed, and the digest that it has now."""
    changes = {"digest": digest, "edits_json": dump([*review.edits, edit]), "updated_at": now_us()}
    sql(tx).update("review", "id", review.id, changes)


def is_held(tx: Tx, message_id: MessageId) -> bool:
    """Whether a message waits for a decision."""
    query = "SELECT 1 FROM outbox WHERE id = ? AND state = 'held'"
    return sql(tx).value(query, message_id) is not None


def release_held(tx: Tx, message_id: MessageId, at: int) -> None:
    """Have a held message sent: it is due now, and is tried as long as one that was accepted now (``at``: µs)."""
    sql(tx).run(
        "UPDATE outbox SET state = 'queued', next_at = ?, queued_at = ?, updated_at = ? "
        "WHERE id = ? AND state = 'held'",
        at,
        at,
        at,
        message_id,
    )
