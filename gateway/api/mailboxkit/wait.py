"""Waits for a message of an inbox, for the SDK's ``waitFor``: a long poll or SSE (``gateway.api.waiting``)."""

from __future__ import annotations

from gateway.api.mailboxkit.file_links import file_links
from gateway.api.mailboxkit.listing import Data
from gateway.api.mailboxkit.message_view import MessageView, message_view
from gateway.api.routing import Call, NoBody, Table
from gateway.api.waiting import WaitQuery, await_mail
from gateway.core.access import reads
from gateway.records.mail import Mail

table = Table("messages")


@table.get("/inboxes/{inbox_id}/messages/wait", access=reads("message_read"))
async def wait_for_message(call: Call[NoBody, WaitQuery]) -> Data[MessageView | None]:
    """Wait until the inbox receives a message that matches.

    Answers when it arrives, or with `{"data": null}` after `timeout` seconds. With `Accept: text/event-stream` each
    matching message is a server-sent event; `Last-Event-ID` resumes.
    """

    async def shown(mail: Mail) -> MessageView:
        return message_view(mail, file_links(call))

    return await await_mail(call, shown, Data)
