"""Reading reviews: every key sees those of its inboxes, so an agent sees what became of its message."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from gateway.core.context import Core
from gateway.core.errors import NotFound
from gateway.core.lookup import find_inbox, find_reachable_inbox, require
from gateway.mime.html_text import html_to_text
from gateway.mime.types import ParsedMessage
from gateway.records.ids import REVIEW_ID
from gateway.records.reviews import ReviewState
from gateway.store.listing import Listing, Window
from gateway.store.queries import reviews
from gateway.store.queries.outbox import mime_of
from gateway.store.queries.reviews import ReviewedMessage
from gateway.store.scope import Scope
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class ReviewDetail:
    """A review with its message, read from the very octets that approval sends; None once it is settled. ``seen``: what
    a reader of its HTML sees, which need not be what its text says; None: it has no HTML."""

    found: ReviewedMessage
    message: ParsedMessage | None = None
    seen: str | None = None


async def list_reviews(
    core: Core, scope: Scope, window: Window, inbox_ref: str | None, state: ReviewState | None
) -> Listing[ReviewedMessage]:
    """The reviews of an inbox, or of all inboxes of the key. Raises NotFound, Forbidden."""
    require(scope, "message_read")

    def read(tx: Tx) -> Listing[ReviewedMessage]:
        inbox_id = None if inbox_ref is None else find_reachable_inbox(tx, scope, inbox_ref).id
        return reviews.list_reviews(tx, scope, window, inbox_id, state)

    return await core.store.read(read)


async def get(core: Core, scope: Scope, ref: str) -> ReviewDetail:
    """One review by ``rev_…``, with its message. Raises NotFound, Forbidden, Unavailable."""
    require(scope, "message_read")
    found = await core.store.read(lambda tx: find(tx, scope, ref))
    return await with_message(core, found)


async def with_message(core: Core, found: ReviewedMessage) -> ReviewDetail:
    """A review with its message as it is now."""
    review = found.review
    if found.size is None:
        return ReviewDetail(found)
    async with core.memory.hold(review.organization_id, 2 * found.size):
        mime = await core.store.read(lambda tx: mime_of(tx, review.message_id))
        if mime is None:
            return ReviewDetail(found)
        message = await core.parser.parse(mime)
        html = message.html
        seen = None if html is None else (await asyncio.to_thread(html_to_text, html)).text
        return ReviewDetail(found, message, seen)


def find(tx: Tx, scope: Scope, ref: str) -> ReviewedMessage:
    """A review that the key reaches; the operator's key reaches all. Raises NotFound, Forbidden."""
    found = reviews.find_review(tx, scope, REVIEW_ID.parse(ref))
    if found is None:
        raise NotFound(f"there is no review {ref[:100]!r}", fix="GET /reviews lists the reviews of this key")
    if not scope.operator:
        find_inbox(tx, scope, found.review.inbox_id)
    return found
