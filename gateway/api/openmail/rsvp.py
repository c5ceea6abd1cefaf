"""Answer an invitation: once for each Idempotency-Key, if the request has one."""

from __future__ import annotations

import hashlib
from functools import partial

from gateway.api.body import encode
from gateway.api.idempotency import send_once
from gateway.api.openmail.send import SentView, idempotency_key, render_sent
from gateway.api.routing import Call, NoQuery, Table, encoded
from gateway.api.rsvp import RsvpBody
from gateway.core.access import changes
from gateway.core.lookup import find_inbox
from gateway.core.mail import messages
from gateway.core.sending.rsvp import rsvp

table = Table("messages")


@table.post(
    "/inboxes/{inbox_id}/messages/{message_id:rest}/rsvp",
    repeatable=True,
    access=changes("message_send", "message_read", test="any"),
)
async def answer_invitation(call: Call[RsvpBody, NoQuery]) -> SentView:
    """Accept, decline or tentatively accept the invitation in a message: its organizer gets a calendar reply."""
    core, scope, body = call.core, call.scope, call.body
    inbox = await core.store.read(lambda tx: find_inbox(tx, scope, call.ids["inbox_id"]))
    found = await messages.get_messages(
        core, scope, inbox.id, [call.ids["message_id"]], texts=True, strict=True
    )
    key = idempotency_key(call.request.headers.get("idempotency-key"))
    asked = encode(["rsvp", inbox.id, found[0].message.id, body])
    answer = await send_once(
        call,
        f"openmail/{scope.organization}",
        None if key is None else hashlib.sha256(key.encode()).hexdigest(),
        hashlib.sha256(asked).hexdigest(),
        partial(render_sent, inbox, scope.test),
        lambda completion: rsvp(core, scope, inbox, found[0], body.rsvp(), completion),
    )
    return encoded(answer, SentView)
