"""Which mail is news: what gets its event, ``message.received`` or one of its kinds, once.

What decides is whether it was ever announced, not where it is by now: a filter or a person may have moved it before we
saw it, or while we read it.

=====================  ============================================================================================
folder                 what is found there
=====================  ============================================================================================
INBOX, Junk            news when it is new to us: from Junk as ``message.received.spam``
Archive, own folders   news when it was delivered to this inbox (see ``_delivered``); anything else was filed there
                       by a mail program or an import, and is none
Trash                  no news while it is there
Sent, Drafts           never news
=====================  ============================================================================================

Mail that is known already, and was never announced (it was in Trash when we first saw it), is news when it comes to a
folder of the first two rows and was delivered to this inbox. What ``postern import`` filed (``labels.IMPORTED``) and
what is older than the event log is kept are no news anywhere.
"""

from __future__ import annotations

from gateway.mime.types import ParsedMessage
from gateway.records.event_types import RECEIVED_TYPES
from gateway.records.inboxes import Inbox
from gateway.store.index import Indexed
from gateway.store.labels import IMPORTED
from gateway.store.queries.aliases import unscoped_alias
from gateway.store.queries.events import message_has_event
from gateway.store.transaction import Tx
from gateway.sync.fetch import Found
from mailserver.addresses import split_recipient

_CLOCKS_US = 300 * 1_000_000
"""How far the mail server's clock may be behind ours."""


def is_news(
    tx: Tx, inbox: Inbox, role: str, found: Found, parsed: ParsedMessage, done: Indexed, since: int | None
) -> bool:
    """Whether a message, just indexed, is to be announced.

    Args:
        role: of the folder in which it was found.
        since: mail received before (µs) is no news; None: nothing is.
    """
    if since is None or found.internal_date < since or IMPORTED in found.flags or done.direction != "inbound":
        return False
    if role in ("inbox", "junk"):
        wanted = done.new or _delivered(tx, inbox, found, parsed)
    else:
        wanted = role in ("archive", "other") and _delivered(tx, inbox, found, parsed)
    return wanted and not was_announced(tx, done.message_id)


def was_announced(tx: Tx, message_id: str) -> bool:
    """Whether a message has its event."""
    return message_has_event(tx, message_id, RECEIVED_TYPES)


def _delivered(tx: Tx, inbox: Inbox, found: Found, parsed: ParsedMessage) -> bool:
    """Whether our mail server delivered it to this inbox, in the time that we follow the inbox.

    Delivery writes Delivered-To on top (and Received); what a mail program or a migration files has another, or none,
    or is older than the inbox.
    """
    came = min(found.internal_date, parsed.received or found.internal_date)
    if came < inbox.created_at - _CLOCKS_US:
        return False
    address, _ = split_recipient(parsed.delivered_to or "")
    if address == inbox.address:
        return True
    domain = address.rpartition("@")[2]
    return bool(address) and any(unscoped_alias(tx, one) for one in (address, f"@{domain}"))
