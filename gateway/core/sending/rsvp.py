"""Answering an invitation: a reply to its organizer with the calendar that says so (RFC 5546, RFC 6047)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.core.context import Core
from gateway.core.errors import Invalid
from gateway.core.idempotency import Completion
from gateway.core.sending.reply import ReplyRequest, one_line, reply
from gateway.core.sent import Sent
from gateway.mime.addresses import InvalidAddress, check_address
from gateway.mime.calendar.answer import answer_calendar
from gateway.mime.types import Address, CalendarEvent, OutgoingAttachment
from gateway.records.ids import now_us
from gateway.records.inboxes import Inbox
from gateway.records.mail import Mail
from gateway.store.queries.aliases import own_among
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

Response = Literal["accept", "decline", "tentative"]

_STATUS: dict[Response, str] = {"accept": "accepted", "decline": "declined", "tentative": "tentative"}
_SUBJECT: dict[Response, str] = {"accept": "Accepted", "decline": "Declined", "tentative": "Tentative"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rsvp:
    """An answer to an invitation. ``text``: what to say with it. ``uid``: which event, of a message with several."""

    response: Response
    text: str | None = None
    uid: str | None = None


async def rsvp(
    core: Core,
    scope: Scope,
    inbox: Inbox,
    original: Mail,
    answer: Rsvp,
    idempotency: Completion | None = None,
) -> Sent:
    """Answer the invitation in ``original``, in its thread.

    Raises Invalid when it holds none that can be answered, and what ``sending.send`` raises.
    """
    event = _invitation(original.message.traits.calendar, answer.uid)
    attendee = await core.store.read(lambda tx: _attendee(tx, inbox, event))
    comment = (answer.text or "").strip()
    said = f"{_SUBJECT[answer.response]}: {one_line(event.summary) or 'invitation'}"
    calendar = answer_calendar(
        event, attendee, _STATUS[answer.response], at=now_us(), comment=comment.replace("\x00", "")
    )
    request = ReplyRequest(
        to=_organizer(event),
        subject=said,
        text=comment or said,
        attachments=[
            OutgoingAttachment(
                filename="reply.ics",
                content_type="text/calendar; charset=UTF-8; method=REPLY",
                content=calendar,
                alternative=True,
            )
        ],
    )
    return await reply(core, scope, inbox, original, request, idempotency=idempotency)


def _invitation(events: Sequence[CalendarEvent], uid: str | None) -> CalendarEvent:
    """The event to answer: the first one that asks for it (a series before its exceptions). Raises Invalid."""
    asked = [one for one in events if one.method == "request" and one.uid and one.organizer]
    chosen = [one for one in asked if uid is None or one.uid == uid]
    if not chosen:
        raise Invalid(
            "the message holds no invitation with this uid" if asked else "the message holds no invitation",
            field="uid" if asked else "message_id",
            fix="answer a message whose calendar has an event with the method request",
        )
    return min(chosen, key=lambda one: one.occurrence is not None)


def _attendee(tx: Tx, inbox: Inbox, event: CalendarEvent) -> Address:
    """The inbox as the invitation names it, by its address, a tag or an alias; else by its address."""
    own = own_among(tx, inbox, [one.email for one in event.attendees])
    named = (Address(one.name, one.email) for one in event.attendees if one.email in own)
    return next(named, Address(inbox.display_name or "", inbox.address))


def _organizer(event: CalendarEvent) -> list[str]:
    """Whom the answer goes to: nobody, where the organizer's address is none, and then it goes where a reply does."""
    try:
        return [check_address(event.organizer.email)] if event.organizer else []
    except InvalidAddress:
        return []
