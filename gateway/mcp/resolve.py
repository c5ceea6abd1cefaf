"""Finds the inbox, message, thread or draft that a call names, within the scope of its key.

The inbox of a call that names none: the default of the connection, else the key's own, else the only one in scope.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from gateway.core.drafts.drafts import find_draft_and_inbox
from gateway.core.errors import Invalid, NotFound
from gateway.core.lookup import find_inbox, find_message, find_message_id, find_thread
from gateway.mcp.arguments import Id, ref_of
from gateway.mcp.toolbox import Call
from gateway.records.drafts import Draft
from gateway.records.ids import InboxId, MessageId
from gateway.records.inboxes import Inbox
from gateway.records.mail import Thread
from gateway.store.queries.inboxes import inboxes_in_reach
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

_NAMED = 10


async def inbox_of(call: Call[Any], given: Id | None) -> Inbox:
    """The inbox of a call. Raises Invalid when it names none and there are several, NotFound, Forbidden."""
    ref = ref_of(given) or call.caller.inbox
    return await call.core.store.read(partial(_inbox, scope=call.scope, ref=ref))


async def message_of(call: Call[Any], given: Id | None, message: Id) -> tuple[InboxId, MessageId]:
    """(inbox ULID, message ULID) of a message. An RFC Message-ID needs the inbox, other ids do not."""
    return await call.core.store.read(
        partial(
            _message,
            scope=call.scope,
            inbox=ref_of(given),
            otherwise=call.caller.inbox,
            ref=ref_of(message) or "",
        )
    )


async def thread_of(call: Call[Any], given: Id | None, thread: Id) -> Thread:
    """The thread that a call names."""

    def read(tx: Tx) -> Thread:
        ref = ref_of(given)
        inbox = find_inbox(tx, call.scope, ref) if ref else None
        return find_thread(tx, call.scope, inbox, ref_of(thread) or "")

    return await call.core.store.read(read)


async def draft_of(call: Call[Any], draft: Id) -> tuple[Inbox, Draft]:
    """The draft that a call names, with its inbox."""
    return await call.core.store.read(
        partial(find_draft_and_inbox, scope=call.scope, inbox_ref=None, draft_ref=ref_of(draft) or "")
    )


def _inbox(tx: Tx, scope: Scope, ref: str | None) -> Inbox:
    ref = ref or scope.inbox
    if ref:
        return find_inbox(tx, scope, ref)
    inboxes = inboxes_in_reach(tx, scope, _NAMED + 1)
    if len(inboxes) == 1:
        return inboxes[0]
    if not inboxes:
        raise Invalid("there is no inbox yet", field="inbox_id", fix="make one with create_inbox")
    some = ", ".join(inbox.address for inbox in inboxes[:_NAMED])
    more = "; list_inboxes shows them all" if len(inboxes) > _NAMED else ""
    raise Invalid(
        "inbox_id is needed, because this key has several inboxes",
        field="inbox_id",
        fix=f"give one of: {some}{more}",
    )


def _message(
    tx: Tx, scope: Scope, inbox: str | None, otherwise: str | None, ref: str
) -> tuple[InboxId, MessageId]:
    if inbox is None:
        try:
            message = find_message(tx, scope, ref)
            return message.inbox_id, message.id
        except NotFound:
            if not (otherwise or scope.inbox):
                raise
    owner = find_inbox(tx, scope, inbox or otherwise or scope.inbox or "")
    return owner.id, find_message_id(tx, owner, ref)
