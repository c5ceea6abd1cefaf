"""The messages of an inbox, across its threads (contract §2)."""

from __future__ import annotations

from gateway.api.openmail.message_view import MessageView, message_view
from gateway.api.openmail.offset_paging import MailPage, MailQuery, mail_page, window_of
from gateway.api.routing import Call, NoBody, Table
from gateway.core.access import reads
from gateway.core.lookup import find_inbox
from gateway.core.mail import messages
from gateway.core.mail.attachment_text import read_attachments_of
from gateway.records.mail import Direction
from gateway.store.listing import Filter
from gateway.store.own_addresses import own_addresses

table = Table("messages")


class MessageQuery(MailQuery, kw_only=True):
    direction: Direction | None = None


@table.get("/inboxes/{inbox_id}/messages", access=reads("message_read"))
async def list_messages(call: Call[NoBody, MessageQuery]) -> MailPage[MessageView]:
    """List an inbox's messages, newest first.

    Spam, trash and what failed DMARC are left out; ``unauthenticatedCount`` says how much that is. A body over 512 KiB
    is cut here and whole in its thread.
    """
    core = call.core
    inbox = await core.store.read(lambda tx: find_inbox(tx, call.scope, call.ids["inbox_id"]))
    found = await messages.list_messages(
        core,
        call.scope,
        inbox.id,
        Filter(direction=call.query.direction, include=call.query.include),
        window_of(call.query),
        texts=True,
    )
    own = await core.store.read(lambda tx: own_addresses(tx, inbox, [one.message for one in found.rows]))
    files = await read_attachments_of(core, found.rows)
    return mail_page(
        found, lambda mail: message_view(mail, files[mail.message.id], inbox, own, call.public_url)
    )
