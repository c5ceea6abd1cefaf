"""Waiting for a message of an inbox: Postern's own, as a long poll or over SSE (``gateway.api.waiting``)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.api.agentmail.filters import addresses_of
from gateway.api.agentmail.views import MessageView, message_view
from gateway.api.extracted import Extracted
from gateway.api.routing import Call, NoBody, Table
from gateway.api.waiting import WaitQuery, await_mail
from gateway.core.access import reads
from gateway.records.ids import InboxId
from gateway.records.mail import Mail

table = Table("Messages")


class ReceivedView(MessageView, kw_only=True):
    """A whole message, with its one-time code and link."""

    extracted: Extracted


class Waited(msgspec.Struct):
    """The message that arrived; null: none arrived in time, ask again."""

    message: ReceivedView | None


@table.get("/inboxes/{inbox_id}/messages/wait", access=reads("message_read"))
async def wait_for_message(call: Call[NoBody, WaitQuery]) -> Waited:
    """Wait until the inbox receives a message that matches.

    Answers as soon as it arrives, or `{"message": null}` after `timeout` seconds. With `Accept: text/event-stream` each
    matching message is a server-sent event; `Last-Event-ID` resumes.
    """

    async def show(mail: Mail) -> ReceivedView:
        return _received_view(mail, await addresses_of(call, [mail]))

    return await await_mail(call, show, Waited)


def _received_view(mail: Mail, addresses: Mapping[InboxId, str]) -> ReceivedView:
    return ReceivedView(
        **msgspec.structs.asdict(message_view(mail, addresses)),
        extracted=Extracted(mail.texts.one_time_code, mail.texts.one_time_link),
    )
