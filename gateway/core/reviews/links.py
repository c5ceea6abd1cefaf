"""The link in the mail to a reviewer: it names a review and the reviewer, and is signed.

It opens as long as the message is held, and as long as the policy over the inbox names the reviewer. It decides once,
for a review is decided once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from gateway.core import signed_text
from gateway.core.context import Core
from gateway.core.errors import NotFound
from gateway.core.policy.resolve import Policy, policy_of
from gateway.core.reviews.decisions import Decider, approve_held, reject_held
from gateway.core.reviews.reading import ReviewDetail, with_message
from gateway.core.text import clean_text
from gateway.mime.addresses import normalise
from gateway.records.ids import REVIEW_ID, ReviewId
from gateway.records.inboxes import Inbox
from gateway.store.queries.aliases import own_among
from gateway.store.queries.inboxes import unscoped_lasting_inbox
from gateway.store.queries.policies import owner_of_inbox, rules_over
from gateway.store.queries.reviews import ReviewedMessage, unscoped_review
from gateway.store.transaction import Tx

PATH = "/review"
MAX_REASON = 1000
_PURPOSE = "review link"


@dataclass(frozen=True, slots=True)
class Invited:
    """What a link opens: the review, with its message while it is held, and the reviewer's address."""

    detail: ReviewDetail
    reviewer: str


def link_of(core: Core, review_id: ReviewId, reviewer: str) -> str | None:
    """The URL by which a reviewer decides; None when nobody said how this server is reached."""
    base = core.settings.http.public_url.rstrip("/")
    token = signed_text.sign(core.secret, _PURPOSE, f"{review_id}/{reviewer}")
    return f"{base}{PATH}/{token}" if base else None


async def opened(core: Core, token: str) -> Invited:
    """What a link opens. It changes nothing. Raises NotFound."""
    found, reviewer = await core.store.read(partial(_invited, core=core, token=token))
    return Invited(await with_message(core, found), reviewer)


async def approve(core: Core, token: str, digest: str) -> None:
    """Have the message of a link sent. ``digest``: of what was shown. Raises NotFound, and what approving raises."""
    found, _ = await core.store.read(partial(_invited, core=core, token=token))

    def write(tx: Tx) -> None:
        review, reviewer = _invited(tx, core, token)
        approve_held(tx, core, review.review.id, Decider(reviewer), digest)

    async with core.memory.hold(found.review.organization_id, 2 * (found.size or 0)):
        await core.store.write(write)


async def reject(core: Core, token: str, reason: str) -> None:
    """Have the message of a link never sent. Raises NotFound, Invalid, and what rejecting raises."""
    words = clean_text(" ".join(reason.split()), "reason", MAX_REASON) or None

    def write(tx: Tx) -> None:
        review, reviewer = _invited(tx, core, token)
        reject_held(tx, core, review.review.id, Decider(reviewer), words)

    await core.store.write(write)


def reviewers_of(tx: Tx, inbox: Inbox) -> tuple[str, ...]:
    """Who gets mail about what an inbox has held. Never the inbox itself: it would decide about its own mail."""
    policy = policy_of(rules_over(tx, owner_of_inbox(inbox)))
    people = policy.reviewers.value if isinstance(policy, Policy) else ()
    return tuple(sorted(set(people) - own_among(tx, inbox, people)))


def _invited(tx: Tx, core: Core, token: str) -> tuple[ReviewedMessage, str]:
    text = signed_text.read(core.secret, _PURPOSE, token)
    ulid, _, reviewer = (text or "").partition("/")
    review_id = REVIEW_ID.parse(ulid)
    found = unscoped_review(tx, review_id) if review_id else None
    inbox = unscoped_lasting_inbox(tx, found.review.inbox_id) if found is not None else None
    if found is None or inbox is None or normalise(reviewer) not in reviewers_of(tx, inbox):
        raise NotFound("this link does not work", fix="use the link of the mail, whole")
    return found, reviewer
