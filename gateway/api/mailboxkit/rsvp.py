"""Answer an invitation. A repeat with the same Idempotency-Key sends once."""

from __future__ import annotations

from gateway.api.mailboxkit.listing import Data
from gateway.api.mailboxkit.send import SentView, accept
from gateway.api.routing import Call, NoQuery, Table
from gateway.api.rsvp import RsvpBody
from gateway.core.access import changes
from gateway.core.lookup import find_inbox
from gateway.core.mail import messages
from gateway.core.sending.rsvp import rsvp

table = Table("messages")


@table.post(
    "/inboxes/{inbox_id}/messages/{message_id:rest}/rsvp",
    status=201,
    access=changes("message_send", "message_read", test="any"),
)
async def answer_invitation(call: Call[RsvpBody, NoQuery]) -> Data[SentView]:
    """Accept, decline or tentatively accept the invitation in a message: its organizer gets a calendar reply."""
    core, scope, body = call.core, call.scope, call.body
    inbox = await core.store.read(lambda tx: find_inbox(tx, scope, call.ids["inbox_id"]))
    found = await messages.get_messages(core, scope, inbox.id, [call.ids["message_id"]], strict=True)
    return await accept(call, inbox, lambda once: rsvp(core, scope, inbox, found[0], body.rsvp(), once))
