"""Reviews: messages that are held until a person decides about them. The routes are Postern's own.

Every key sees the reviews of its inboxes. Deciding takes ``review_decide``, and is not for a key of one inbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from gateway.api.agentmail.views import AttachmentView, attachment_views
from gateway.api.paging import PageQuery, answer, read_paging
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.api.times import iso_of
from gateway.core.access import ORGANIZATION_OR_POD, changes, reads
from gateway.core.reviews import decisions, reading
from gateway.core.reviews import edit as editing
from gateway.core.reviews.edit import Edit
from gateway.core.reviews.reading import ReviewDetail
from gateway.records.ids import INBOX_ID, KEY_ID, MESSAGE_ID, REVIEW_ID, THREAD_ID
from gateway.store.queries.reviews import ReviewedMessage

table = Table("Reviews")
Doc = msgspec.Meta
State = Literal["pending", "approved", "rejected", "expired"]


class ReviewsQuery(PageQuery, kw_only=True):
    inbox_id: Annotated[str | None, Doc(description="only of this inbox (id or address)")] = None
    state: Annotated[State | None, Doc(description="only in this state")] = None


class ApproveBody(msgspec.Struct):
    """What is approved."""

    digest: Annotated[
        str | None, Doc(description="of the message that was read; another one is not approved")
    ] = None


class EditBody(msgspec.Struct):
    """What the message shall have instead. What is left out stays; text and html are the body together, so who gives
    one of them replaces both."""

    to: Annotated[list[str] | None, Doc(description="recipients: a@b or Name <a@b>")] = None
    cc: Annotated[list[str] | None, Doc(description="copies go to these")] = None
    bcc: Annotated[list[str] | None, Doc(description="blind copies go to these")] = None
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    digest: Annotated[
        str | None, Doc(description="of the message that was read; another one is not edited")
    ] = None


class EditView(msgspec.Struct):
    """A change of a held message."""

    at: Annotated[str, Doc(description="when it was changed")]
    by: Annotated[str, Doc(description="the API key that changed it")]
    before: Annotated[dict[str, Any], Doc(description="the fields that changed, as they were")]
    after: Annotated[dict[str, Any], Doc(description="the same fields as they are now")]


class RejectBody(msgspec.Struct):
    """Why it is rejected."""

    reason: Annotated[str | None, Doc(description="for who asked; at most 1,000 characters")] = None


class ReviewItem(msgspec.Struct):
    """A message that is, or was, held."""

    review_id: Annotated[str, Doc(description="id of the review")]
    state: Annotated[State, Doc(description="pending until it is decided")]
    direction: str
    inbox_id: str
    message_id: str
    thread_id: Annotated[str | None, Doc(description="null: the message was deleted")]
    subject: str | None
    to: list[str]
    cc: list[str]
    bcc: list[str]
    reasons: Annotated[list[str], Doc(description="why it is held, the most important first")]
    digest: Annotated[str, Doc(description="SHA-256 of the envelope and the message that approval sends")]
    asked_by: Annotated[str | None, Doc(description="the API key that sent it; null: a scheduled draft")]
    decided_by: Annotated[str | None, Doc(description="the API key or the reviewer's address")]
    decided_at: Annotated[str | None, Doc(description="when it was decided; null: it is not")]
    reason: Annotated[str | None, Doc(description="of who rejected it")]
    expires_at: Annotated[str, Doc(description="when it is rejected unless somebody decides")]
    created_at: str


class ReviewView(ReviewItem):
    """A review with its message, as long as it is held."""

    size: int | None
    text: str | None
    html: str | None
    edits: Annotated[list[EditView], Doc(description="what was changed while it was held")]
    html_text: Annotated[str | None, Doc(description="what a reader of the HTML sees")]
    attachments: list[AttachmentView]


@table.get("/reviews", rows=("reviews", ReviewItem), access=reads("message_read"))
async def list_reviews(call: Call[NoBody, ReviewsQuery]) -> dict[str, Any]:
    """List the messages that are, or were, held for a decision, newest first."""
    query = call.query
    paging = read_paging(query, call.core.secret)
    listing = await reading.list_reviews(call.core, call.scope, paging.window, query.inbox_id, query.state)
    return answer(call, listing, paging, "reviews", review_item)


@table.get("/reviews/{review_id}", access=reads("message_read"))
async def get_review(call: Call[NoBody, NoQuery]) -> ReviewView:
    """Get a review, with the message as approval sends it."""
    return review_view(await reading.get(call.core, call.scope, call.ids["review_id"]))


@table.post("/reviews/{review_id}/approve", access=changes("review_decide", kinds=ORGANIZATION_OR_POD))
async def approve(call: Call[ApproveBody, NoQuery]) -> ReviewItem:
    """Send a held message, exactly as it is. The key that asked for it may not do this."""
    found = await decisions.approve(call.core, call.scope, call.ids["review_id"], call.body.digest)
    return review_item(found)


@table.post("/reviews/{review_id}/reject", access=changes("review_decide", kinds=ORGANIZATION_OR_POD))
async def reject(call: Call[RejectBody, NoQuery]) -> ReviewItem:
    """Never send a held message. The key that asked for it may not do this."""
    found = await decisions.reject(call.core, call.scope, call.ids["review_id"], call.body.reason)
    return review_item(found)


@table.post("/reviews/{review_id}/edit", access=changes("review_decide", kinds=ORGANIZATION_OR_POD))
async def edit(call: Call[EditBody, NoQuery]) -> ReviewView:
    """Change a held message. It stays held. The key that asked for it may not do this."""
    body = call.body
    wanted = Edit(
        to=body.to,
        cc=body.cc,
        bcc=body.bcc,
        subject=body.subject,
        text=body.text,
        html=body.html,
        digest=body.digest,
    )
    return review_view(await editing.edit(call.core, call.scope, call.ids["review_id"], wanted))


def review_item(found: ReviewedMessage) -> ReviewItem:
    """A review in a list."""
    return ReviewItem(**_shown(found))


def review_view(detail: ReviewDetail) -> ReviewView:
    """A review with its message."""
    message = detail.message
    return ReviewView(
        **_shown(detail.found),
        size=detail.found.size,
        text=message.text if message else None,
        html=message.html if message else None,
        edits=[EditView(iso_of(one.at), one.by, one.before, one.after) for one in detail.found.review.edits],
        html_text=detail.seen,
        attachments=attachment_views(message.attachments) if message else [],
    )


def _shown(found: ReviewedMessage) -> dict[str, Any]:
    review = found.review

    def people(role: str) -> Sequence[str]:
        return [one.address for one in found.recipients if one.role == role]

    return {
        "review_id": REVIEW_ID.public(review.id),
        "state": review.state,
        "direction": review.direction,
        "inbox_id": found.inbox or INBOX_ID.public(review.inbox_id),
        "message_id": MESSAGE_ID.public(review.message_id),
        "thread_id": THREAD_ID.public(found.thread_id),
        "subject": found.subject,
        "to": people("to"),
        "cc": people("cc"),
        "bcc": people("bcc"),
        "reasons": review.reasons,
        "digest": review.digest,
        "asked_by": KEY_ID.public(review.asked_by),
        "decided_by": review.decided_by,
        "decided_at": None if review.decided_at is None else iso_of(review.decided_at),
        "reason": review.reason,
        "expires_at": iso_of(review.expires_at),
        "created_at": iso_of(review.created_at),
    }
