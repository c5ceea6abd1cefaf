"""Waiting for a message of an inbox: our own extra, as a long poll or over SSE (``gateway.api.waiting``)."""

from __future__ import annotations

import msgspec

from gateway.api.extracted import Extracted
from gateway.api.openmail.message_view import MessageView, message_view
from gateway.api.routing import Call, NoBody, Table
from gateway.api.waiting import WaitQuery, await_mail
from gateway.core.access import reads
from gateway.core.lookup import find_inbox
from gateway.core.mail.attachment_text import read_attachments_of
from gateway.records.inboxes import Inbox
from gateway.records.mail import Mail
from gateway.store.own_addresses import own_addresses
from gateway.store.transaction import Tx

table = Table("messages")


class ReceivedView(MessageView, rename="camel", kw_only=True):
    """A message, with what a person would copy out of it."""

    extracted: Extracted


class Waited(msgspec.Struct):
    """The message that came; null: nothing came in time, ask again."""

    message: ReceivedView | None


@table.get("/inboxes/{inbox_id}/messages/wait", access=reads("message_read"))
async def wait_for_message(call: Call[NoBody, WaitQuery]) -> Waited:
    """Wait until the inbox receives a message that matches.

    Answers the moment it comes, or `{"message": null}` after `timeout` seconds. With `Accept: text/event-stream` each
    matching message is a server-sent event; `Last-Event-ID` resumes.
    """

    async def shown(mail: Mail) -> ReceivedView:
        message = mail.message

        def read(tx: Tx) -> tuple[Inbox, frozenset[str]]:
            inbox = find_inbox(tx, call.scope, message.inbox_id)
            return inbox, own_addresses(tx, inbox, [message])

        inbox, own = await call.core.store.read(read)
        files = await read_attachments_of(call.core, [mail])
        return ReceivedView(
            **msgspec.structs.asdict(message_view(mail, files[message.id], inbox, own, call.public_url)),
            extracted=Extracted(mail.texts.one_time_code, mail.texts.one_time_link),
        )

    return await await_mail(call, shown, Waited)
