"""Mail to the reviewers about what is held: few mails, however many messages.

The first message that is held is written about at once. What is held in the ``guard.review_mail_minutes`` after a mail
waits for their end, and then goes in one mail. A mail names up to fifty messages, each with its link. The reviews are
marked in the transaction that queues the mails, so a kill sends no second ones and forgets none.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from gateway.core.context import Core
from gateway.core.reviews.links import link_of, reviewers_of
from gateway.core.sending import platform_mail
from gateway.core.sending.platform_mail import Notice
from gateway.mime.workers.jobs import ComposeFailed
from gateway.records.ids import OrganizationId, ReviewId, now_us
from gateway.records.inboxes import Inbox
from gateway.store.queries.inboxes import unscoped_lasting_inbox
from gateway.store.queries.reviews import (
    NOBODY,
    ReviewedMessage,
    claim_notice,
    last_notice_at,
    unscoped_organizations_to_notify,
    unscoped_reviews_to_notify,
)
from gateway.store.transaction import Tx

log = logging.getLogger("postern.reviews")

_IN_A_MAIL = 50
_MOST = 500
_SHOWN = 80
_MINUTE_US = 60_000_000

_HEAD = """{count} held until you decide. Open a link to read the message; a button there sends or rejects it.
Opening a link changes nothing. Whoever has this mail can decide: do not pass it on.
"""


async def notify_reviewers(core: Core) -> None:
    """Queue the mails that are due. Raises StoreDown."""
    wait = int(core.settings.guard.review_mail_minutes * _MINUTE_US)
    for organization in await core.store.read(unscoped_organizations_to_notify):
        last = await core.store.read(partial(last_notice_at, organization=organization))
        if last is None or now_us() - last >= wait or last > now_us():
            await _notify(core, organization)


async def _notify(core: Core, organization: OrganizationId) -> None:
    """One organization's mails about what nobody was written to about."""
    unaddressed, inboxes, of_reviewer = await core.store.read(partial(_due, organization=organization))
    mails: list[tuple[Notice, Inbox]] = []
    for reviewer, reviews in of_reviewer.items():
        for start in range(0, len(reviews), _IN_A_MAIL):
            some = reviews[start : start + _IN_A_MAIL]
            subject, text = _words(core, reviewer, some)
            try:
                notice = await platform_mail.compose(core, "review", reviewer, subject, text)
            except (ComposeFailed, ValueError) as error:
                log.warning("a reviewer is not written to about %d held messages: %s", len(some), error)
                continue
            mails.append((notice, inboxes[some[0].review.id]))

    def write(tx: Tx) -> None:
        claim_notice(tx, unaddressed, NOBODY)
        if claim_notice(tx, list(inboxes), now_us()):
            for notice, inbox in mails:
                platform_mail.queue(tx, core, notice, organization, inbox)

    await core.store.write(write)


def _due(
    tx: Tx, organization: OrganizationId
) -> tuple[list[ReviewId], Mapping[ReviewId, Inbox], Mapping[str, list[ReviewedMessage]]]:
    """The reviews without a reviewer to write to, the inboxes of the others, and what each reviewer decides about."""
    found = unscoped_reviews_to_notify(tx, organization, _MOST)
    people: dict[str, tuple[Inbox | None, tuple[str, ...]]] = {}
    inboxes: dict[ReviewId, Inbox] = {}
    of_reviewer: dict[str, list[ReviewedMessage]] = {}
    for one in found:
        inbox_id = one.review.inbox_id
        if inbox_id not in people:
            inbox = unscoped_lasting_inbox(tx, inbox_id)
            people[inbox_id] = (inbox, reviewers_of(tx, inbox) if inbox is not None else ())
        inbox, reviewers = people[inbox_id]
        if inbox is not None and reviewers:
            inboxes[one.review.id] = inbox
        for reviewer in reviewers:
            of_reviewer.setdefault(reviewer, []).append(one)
    unaddressed = [one.review.id for one in found if one.review.id not in inboxes]
    return unaddressed, inboxes, of_reviewer


def _words(core: Core, reviewer: str, reviews: Sequence[ReviewedMessage]) -> tuple[str, str]:
    """Subject and text of a mail. What an agent or a stranger wrote is cut, and is no link."""
    one = len(reviews) == 1
    count = "1 message is" if one else f"{len(reviews)} messages are"
    parts = [_HEAD.format(count=count)]
    for found in reviews:
        review = found.review
        names = [_shown(person.address) for person in found.recipients]
        people = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        until = datetime.fromtimestamp(review.expires_at / 1e6, UTC)
        link = link_of(core, review.id, reviewer) or f"postern review show {review.public_id}"
        parts.append(
            f"From     {_shown(found.inbox or '-')}\n"
            f"To       {people}\n"
            f"Subject  {_shown(found.subject or '-')}\n"
            f"Until    {until:%Y-%m-%d %H:%M} UTC\n"
            f"Decide   {link}\n"
        )
    return f"{count} held for your approval", "\n".join(parts)


def _shown(text: str) -> str:
    """A stranger's text on one line: without what cannot be seen, and not as a link."""
    line = "".join(char if char.isprintable() else " " for char in text.replace("://", ": //"))
    line = " ".join(line.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
