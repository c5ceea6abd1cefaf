"""Answer an invitation: once, however often a client repeats it with its Idempotency-Key."""

from __future__ import annotations

from gateway.api.agentmail.sending import once
from gateway.api.agentmail.views import Sent
from gateway.api.routing import Call, NoQuery, Table
from gateway.api.rsvp import RsvpBody
from gateway.core.access import changes
from gateway.core.lookup import find_inbox
from gateway.core.mail import messages
from gateway.core.sending.rsvp import rsvp

table = Table("Messages")


@table.post(
    "/inboxes/{inbox_id}/messages/{message_id:rest}/rsvp",
    access=changes("message_send", "message_read", test="any"),
)
async def answer_invitation(call: Call[RsvpBody, NoQuery]) -> Sent:
    """Accept, decline or tentatively accept the invitation in a message: its organizer gets a calendar reply."""
    core, scope, body = call.core, call.scope, call.body
    inbox = await core.store.read(lambda tx: find_inbox(tx, scope, call.ids["inbox_id"]))
    found = await messages.get_messages(
        core, scope, inbox.id, [call.ids["message_id"]], texts=True, strict=True
    )
    return await once(
        call,
        f"rsvp {inbox.id} {found[0].message.id}",
        lambda completion: rsvp(core, scope, inbox, found[0], body.rsvp(), completion),
    )
