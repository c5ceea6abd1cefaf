"""Reading the history of a message."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from gateway.core.context import Core
from gateway.core.errors import NotFound
from gateway.core.history.entry import MOST, Entry, Source, Subject
from gateway.core.history.labels import labels
from gateway.core.history.news import news
from gateway.core.history.origin import origin
from gateway.core.history.reviews import reviews
from gateway.core.history.sending import sending
from gateway.core.history.webhooks import webhooks
from gateway.core.lookup import require
from gateway.core.mail.messages import find_whole
from gateway.records.ids import now_us
from gateway.settings import Settings
from gateway.store.listing import Listing, Window
from gateway.store.queries.outbox import accepted_entry
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

SOURCES: tuple[Source, ...] = (origin, reviews, sending, labels, news, webhooks)
"""In the order in which entries of the same time are shown."""

_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class History:
    """A page of entries, oldest first. ``missing``: why some are not there, in words; empty when all are."""

    listing: Listing[Entry]
    missing: list[str]

    @property
    def complete(self) -> bool:
        """Whether everything that was recorded of the message is still kept, and in reach of the key."""
        return not self.missing


async def message_history(
    core: Core, scope: Scope, inbox_ref: str | None, message_ref: str, window: Window
) -> History:
    """What happened to a message, oldest first unless the window descends.

    ``inbox_ref`` None: of any inbox in reach. Raises NotFound, Forbidden.
    """
    require(scope, "message_read")
    return await core.store.read(
        lambda tx: _history(tx, scope, core.settings, inbox_ref, message_ref, window)
    )


def _history(
    tx: Tx, scope: Scope, settings: Settings, inbox_ref: str | None, message_ref: str, window: Window
) -> History:
    inbox, mail = find_whole(tx, scope, inbox_ref, message_ref)
    if scope.blind.intersection(mail.labels):
        raise NotFound("there is no such message for this dialect")
    subject = Subject(scope, inbox, mail)
    entries: list[Entry] = []
    missing = _swept(tx, subject, settings)
    for source in SOURCES:
        found = list(islice(source(tx, subject), MOST + 1))
        if len(found) >= MOST:
            missing.append(f"only the first {MOST} entries of each kind are shown")
        entries += found[:MOST]
    entries.sort(key=lambda entry: entry.at, reverse=not window.ascending)
    start = window.position[0] if window.position else window.offset
    shown = entries[start : start + window.limit]
    following = start + len(shown)
    more = (following, "") if shown and following < len(entries) else None
    return History(Listing(shown, len(entries), more), list(dict.fromkeys(missing)))


def _swept(tx: Tx, subject: Subject, settings: Settings) -> list[str]:
    """What retention took, in words."""
    message, missing = subject.mail.message, []
    age = now_us() - message.timestamp
    if age > settings.events.keep_days * _DAY_US:
        missing.append(
            f"labels, events and webhook posts are kept for {settings.events.keep_days} days (events.keep_days)"
        )
    if (
        message.direction == "outbound"
        and age > settings.outbox.keep_days * _DAY_US
        and accepted_entry(tx, subject.inbox.id, message.id) is None
    ):
        missing.append(
            f"replies of mail servers are kept for {settings.outbox.keep_days} days (outbox.keep_days)"
        )
    if not subject.scope.allows("webhook_read"):
        missing.append("this API key may not read webhooks (webhook_read)")
    return missing
