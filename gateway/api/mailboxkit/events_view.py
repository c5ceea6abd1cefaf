"""Events as MailboxKit's webhooks show them (contract, "Webhooks"): rendered from the snapshot in the event's row
alone, so that every try, and the list of attempts, has the same octets.

``message.sent`` is told when a mail server took the message for delivery, and has the message's texts. The news that
follow are about a recipient and leave the texts out.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from gateway.api.mailboxkit.file_links import FileLinks
from gateway.api.mailboxkit.message_event import message_news
from gateway.api.mailboxkit.message_view import MessageView, event_message, facts_view
from gateway.api.mailboxkit.resource_views import InboxView, inbox_view
from gateway.api.times import to_seconds
from gateway.core.webhooks.test_post import TEST_EVENT
from gateway.records.events import Event
from gateway.store.ids import number_of
from gateway.store.json_columns import load

MESSAGE_EVENTS = (
    "message.received",
    "message.sent",
    "message.delivered",
    "message.bounced",
    "message.opened",
    "message.complained",
    "message.rejected",
)
INBOX_EVENTS = ("inbox.created", "inbox.deleted")
EVENTS = (*MESSAGE_EVENTS, *INBOX_EVENTS)
"""All there are; mail that a filter caught (spam, blocked) is not told of."""


class EventView(msgspec.Struct):
    """An event as it is posted."""

    event: str
    timestamp: str
    inbox_id: int
    # msgspec describes no union of structs
    data: Annotated[Any, msgspec.Meta(description="the message, or the inbox, as the API answers it")]


def render(event: Event, links: FileLinks) -> EventView | None:
    """An event as JSON; None for a type MailboxKit does not have."""
    kind = event.type
    if kind not in EVENTS and kind != TEST_EVENT:
        return None
    facts = load(event.payload_json)
    data: MessageView | InboxView
    if kind == TEST_EVENT:
        return EventView(kind, to_seconds(event.created_at), 0, _sample(to_seconds(event.created_at)))
    if kind in INBOX_EVENTS:
        data, inbox = inbox_view(facts["inbox"]), facts["inbox"]["id"]
    elif kind == "message.received":
        data, inbox = facts_view(event_message(facts["message"]), links), facts["message"]["inbox_id"]
    else:
        data, inbox = message_news(kind, facts, links), facts["message_ref"]["inbox_id"]
    return EventView(kind, to_seconds(event.created_at), number_of(inbox), data)


def _sample(at: str) -> MessageView:
    """The message of a test event: the shape of one, and the ids of none."""
    return MessageView(
        id=0,
        ulid="0" * 26,
        inbox_id=0,
        message_id="<test@example.com>",
        from_email="sender@example.com",
        from_name="Test Sender",
        to_emails=["inbox@example.com"],
        cc_emails=[],
        subject="Test of your webhook",
        text_body="This is a test. No mail was received.",
        html_body="<p>This is a test. No mail was received.</p>",
        extracted_text="This is a test. No mail was received.",
        status="received",
        thread_id=0,
        attachments=[],
        test=True,
        created_at=at,
    )
