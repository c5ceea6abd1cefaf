"""Mail that Postern itself writes about an organization: from postmaster@ of the platform's domain, signed as all is.

:func:`compose` before the transaction, :func:`queue` in it, so that what claims the notice and the mail go together.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core.context import Core
from gateway.mime.types import Address, OutgoingMessage
from gateway.outbox.queue import enqueue
from gateway.records.ids import MESSAGE_ID, MessageId, OrganizationId, now_us
from gateway.records.inboxes import Inbox
from gateway.smarthost.profiles import profile_of
from gateway.store.dkim_keys import active_key
from gateway.store.transaction import Tx
from mailserver.addresses import fold_domain


@dataclass(frozen=True, slots=True)
class Notice:
    """A composed mail. ``id`` is its ULID in the outbox."""

    id: MessageId
    message_id: str
    address: str
    mime: bytes


async def compose(core: Core, kind: str, address: str, subject: str, text: str) -> Notice:
    """A mail of plain text to one address. ``kind`` begins its Message-ID. Raises ComposeFailed, StoreDown."""
    domain = fold_domain(core.settings.mail.domain)
    signing = await core.store.read(lambda tx: profile_of(core.settings).signing(active_key(tx, domain)))
    notice_id = MESSAGE_ID.new()
    message = OutgoingMessage(
        message_id=f"<{kind}_{notice_id}@{domain}>",
        sender=Address("Postern", f"postmaster@{domain}"),
        to=[Address("", address)],
        cc=[],
        reply_to=[],
        subject=subject,
        text=text,
        html=None,
        attachments=[],
        headers={"Auto-Submitted": "auto-generated"},  # RFC 3834: no vacation answers
        in_reply_to=None,
        references=[],
        date=now_us(),
    )
    mime, _ = await core.parser.compose(message, signing)
    return Notice(notice_id, message.message_id, address, mime)


def queue(tx: Tx, core: Core, notice: Notice, organization_id: OrganizationId, inbox: Inbox) -> None:
    """Have it sent. ``inbox``: whose row the outbox keeps it under."""
    enqueue(
        tx,
        outbox_id=notice.id,
        organization_id=organization_id,
        inbox_id=inbox.id,
        mail_from="",
        message_id=notice.message_id,
        token=notice.id,
        mime=notice.mime,
        recipients=[(notice.address, "to")],
    )
    tx.after_commit.append(core.outbox_wake.set)
