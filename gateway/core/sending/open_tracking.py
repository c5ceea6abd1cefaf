"""``message.opened``: whether a mail was looked at, as far as a picture can tell.

An HTML mail that is tracked ends with a picture of one pixel, whose URL on our own host names the message and is
signed. The first time it is fetched, ``message.opened`` is sent; never again for that message. Off unless the
operator allows it (``mail.open_tracking``); what a sandbox key sends bears no picture.

What it cannot know: programs that fetch pictures beforehand (Apple Mail, Gmail's proxy, virus scanners) count as
opening, whoever blocks pictures never opens, and looking at one's own copy in Sent counts too. Of several recipients
it does not say which.
"""

from __future__ import annotations

import re

from gateway.core import signed_text
from gateway.core.context import Core
from gateway.core.errors import Invalid, NotFound
from gateway.events.log import event_id_of
from gateway.outbox.record import DeliveryEvents
from gateway.records.ids import MessageId, now_us
from gateway.records.inboxes import Inbox
from gateway.settings import Settings
from gateway.store.arrival_time import event_time
from gateway.store.queries.events import unscoped_has_event
from gateway.store.queries.inboxes import unscoped_lasting_inbox
from gateway.store.queries.messages import unscoped_message_item
from gateway.store.transaction import Tx

PATH = "/opened"
_PURPOSE = "tracking pixel"
_END = re.compile(r"</body\s*>", re.I)
_TAIL = 65_536
_DAY = 86_400 * 1_000_000


def tracks(settings: Settings, wish: bool | None) -> bool:
    """Whether a send is tracked. ``wish``: what the sender said, None for nothing. Raises Invalid for one that may
    not be."""
    mode = settings.mail.open_tracking
    if mode == "off" and wish:
        raise Invalid(
            "this server does not track who opens mail",
            field="track_opens",
            fix="leave track_opens out; the operator can allow it with mail.open_tracking",
        )
    return mode != "off" and (mode == "always" if wish is None else wish)


def with_pixel(core: Core, html: str, message_id: MessageId, *, tracked: bool) -> str:
    """The HTML of a message (its ULID) with the picture at its end if it is ``tracked``, and without those of
    earlier messages of ours that it quotes: reading this one is not reading those."""
    base = f"{core.settings.http.public_url.rstrip('/')}{PATH}/"
    if base in html:
        html = re.sub(f'<img src="{re.escape(base)}[^"<>]*"[^<>]*>', "", html)
    if not tracked:
        return html
    picture = f'<img src="{base}{token_of(core.secret, message_id)}.gif" width="1" height="1" alt="" style="border:0">'
    ends = [found.start() for found in _END.finditer(html, max(0, len(html) - _TAIL))]
    at = ends[-1] if ends else len(html)
    return html[:at] + picture + html[at:]


def token_of(secret: bytes, message_id: MessageId) -> str:
    """The token that names a message (``signed_text``)."""
    return signed_text.sign(secret, _PURPOSE, message_id)


def message_of(secret: bytes, token: str) -> MessageId:
    """The message (its ULID) of a token. Raises NotFound for one that we did not make."""
    name = signed_text.read(secret, _PURPOSE, token)
    if name is None:
        raise NotFound("this picture is not one of ours")
    return MessageId(name)


async def record_opening(core: Core, token: str) -> None:
    """The picture was fetched. Only the first time counts. Raises NotFound for a forged token."""
    message_id = message_of(core.secret, token)
    if core.settings.mail.open_tracking == "off":
        return
    # a message is looked up without a write: who fetches the picture a thousand times costs a thousand reads
    if await core.store.read(lambda tx: _unrecorded(tx, core.settings, message_id)) is None:
        return

    def write(tx: Tx) -> None:
        inbox = _unrecorded(tx, core.settings, message_id)
        if inbox is not None:
            DeliveryEvents(tx, core.events, inbox, message_id).opened(now_us())

    await core.store.write(write)


def _unrecorded(tx: Tx, settings: Settings, message_id: MessageId) -> Inbox | None:
    """The inbox of a message whose opening is news: it is there, it was sent, and its events are still kept."""
    message = unscoped_message_item(tx, message_id)
    if message is None or message.direction != "outbound" or message.test:
        return None
    if message.timestamp < now_us() - settings.events.keep_days * _DAY:
        return None  # what was sent then is forgotten: it would be sent twice
    inbox = unscoped_lasting_inbox(tx, message.inbox_id)
    if inbox is None:
        return None
    sent = event_id_of(
        "message.opened",
        organization_id=inbox.organization_id,
        inbox_id=inbox.id,
        subject=message_id,
        at=event_time(message_id),
    )
    return None if unscoped_has_event(tx, sent) else inbox
