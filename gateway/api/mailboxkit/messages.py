"""The messages of an inbox, sent and received in one list (contract, "Message")."""

from __future__ import annotations

from gateway.api.mailboxkit.file_links import file_links
from gateway.api.mailboxkit.listing import Data, MailQuery, MailRows, listed_mail, window_of
from gateway.api.mailboxkit.message_view import MessageView, message_view
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import reads
from gateway.core.mail import messages
from gateway.store.listing import Filter

table = Table("messages")


@table.get("/inboxes/{inbox_id}/messages", access=reads("message_read"))
async def list_messages(call: Call[NoBody, MailQuery]) -> MailRows[MessageView]:
    """List an inbox's messages, newest first: what it received and what it sent.

    Spam, trash and messages that failed DMARC are left out; ``meta.unauthenticated_count`` counts the latter. A body
    over 512 KiB is cut in the list; get the message for the whole body.
    """
    window = window_of(call.query)
    found = await messages.list_messages(
        call.core, call.scope, call.ids["inbox_id"], Filter(include=call.query.include), window, texts=True
    )
    links = file_links(call)
    return listed_mail(call, window, found, lambda mail: message_view(mail, links))


@table.get("/inboxes/{inbox_id}/messages/{message_id:rest}", access=reads("message_read"))
async def get_message(call: Call[NoBody, NoQuery]) -> Data[MessageView]:
    """Get a message with its attachments. Their URLs expire; each read makes new ones."""
    mail = await messages.get_message(call.core, call.scope, call.ids["inbox_id"], call.ids["message_id"])
    return Data(message_view(mail, file_links(call)))
