"""Answering in a thread: whoever it is sent to, subject and threading fields are the thread's own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from gateway.core.context import Core
from gateway.core.idempotency import Completion
from gateway.core.lookup import find_thread
from gateway.core.mail.messages import require_visible
from gateway.core.mail.read_state import note_answered
from gateway.core.sending.answered_people import welcome_among
from gateway.core.sending.reply import ReplyRequest, mark_answered, one_line, reply_request, usable_id
from gateway.core.sending.send import send
from gateway.core.sent import Sent
from gateway.mime.addresses import InvalidAddress, check_address
from gateway.mime.delivery_role import delivery_role
from gateway.mime.reply.reply import MAX_REFERENCES, Recipients, reply_subject
from gateway.mime.types import OutgoingAttachment
from gateway.records.ids import ThreadId
from gateway.records.inboxes import Inbox
from gateway.records.mail import Mail, Message, Thread
from gateway.store.engine import StoreDown
from gateway.store.own_addresses import own_addresses
from gateway.store.queries.messages import copies_of_thread, last_of_thread, rfc_ids_of_thread
from gateway.store.scope import Scope
from gateway.store.transaction import Tx
from gateway.sync.pending_flags import store_flags

log = logging.getLogger("postern.replies")

_FLAG_SECONDS = 2.0
_COPIES_LOOKED_AT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadReply:
    """What an answer adds. ``quote``: the last message of the thread under the new text."""

    to: str
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    reply_to: Sequence[str] = ()
    text: str | None = None
    html: str | None = None
    attachments: Sequence[OutgoingAttachment] = ()
    quote: bool = True
    unsubscribe: bool = False


@dataclass(frozen=True, slots=True)
class _Thread:
    """What an answer needs of its thread. ``ids``: its Message-IDs as References; ``copied_by``: who put the
    inbox in Cc last, when it was on the thread as a copy."""

    thread: Thread
    last: Mail
    ids: list[str]
    copied_by: str | None


async def reply_in_thread(
    core: Core,
    scope: Scope,
    inbox: Inbox,
    thread_ref: str,
    answer: ThreadReply,
    idempotency: Completion | None = None,
) -> Sent:
    """Send an answer in a thread of this inbox, and mark the thread read.

    The subject is the thread's, with one ``Re:``; In-Reply-To names its last message, References all of it (the
    first and the last ones of a long thread). An inbox that was only copied keeps whoever copied it in Cc.
    Raises NotFound when the thread is not this inbox's, else what ``sending.send`` raises.
    """
    thread = await core.store.read(partial(_look, scope=scope, inbox=inbox, ref=thread_ref))
    wanted = reply_request(
        thread.last,
        Recipients([], []),
        ReplyRequest(
            to=[answer.to],
            cc=[*answer.cc, *([thread.copied_by] if thread.copied_by else [])],
            bcc=answer.bcc,
            reply_to=answer.reply_to,
            subject=reply_subject(one_line(thread.thread.subject)),
            text=answer.text,
            html=answer.html,
            attachments=answer.attachments,
            quote=answer.quote,
            unsubscribe=answer.unsubscribe,
        ),
    )
    wanted = replace(
        wanted,
        in_reply_to=thread.ids[-1] if thread.ids else None,
        references=thread.ids,
        thread_id=thread.thread.id,
    )
    mark_read = partial(note_answered, inbox=inbox, thread_id=thread.thread.id)
    sent = await send(core, scope, inbox, wanted, idempotency, mark_read)
    # the answer is accepted, and its flags are pending: a slow mail server is not waited for
    await asyncio.wait(
        [asyncio.create_task(_flag(core, scope, inbox, thread.last.message))], timeout=_FLAG_SECONDS
    )
    return sent


async def _flag(core: Core, scope: Scope, inbox: Inbox, last: Message) -> None:
    try:
        await store_flags(core.store, core.imap, inbox, core.store.write)
    except StoreDown as error:
        log.info("the flags of %s are stored by the next scan: %s", inbox.address, error)
    if last.direction == "inbound" and not scope.test:
        await mark_answered(core, inbox, last.id)


def _look(tx: Tx, scope: Scope, inbox: Inbox, ref: str) -> _Thread:
    thread = find_thread(tx, scope, inbox, ref)
    last = last_of_thread(tx, scope, thread.id)
    assert last is not None  # a thread goes with its last message, in one transaction
    require_visible(scope, last.labels)
    return _Thread(thread, last, _references(tx, scope, last.message), _copied_by(tx, inbox, thread.id))


def _references(tx: Tx, scope: Scope, last: Message) -> list[str]:
    """Every Message-ID of the thread that a header can hold, oldest first, the answered one at the end."""
    chain = [*last.references, *rfc_ids_of_thread(tx, scope, last.thread_id, MAX_REFERENCES)]
    own = last.rfc_message_id
    chain = [one for one in dict.fromkeys(chain) if usable_id(one) and one != own]
    if own and usable_id(own):
        chain.append(own)
    if len(chain) > MAX_REFERENCES:
        chain = chain[:1] + chain[-(MAX_REFERENCES - 1) :]
    return chain


def _copied_by(tx: Tx, inbox: Inbox, thread_id: ThreadId) -> str | None:
    """The sender of the last mail of the thread that only copied this inbox."""
    copies = copies_of_thread(tx, thread_id, _COPIES_LOOKED_AT)
    own = own_addresses(tx, inbox, copies)
    for message in copies:
        if delivery_role(own, message.to, message.cc) != "cc":
            continue
        sender = message.sender
        if sender is None or sender.email in own:
            continue
        try:
            address = check_address(sender.email)
        except InvalidAddress:
            continue  # nobody can be copied there
        # nobody asked for a copy to it, so none fails for it
        return address if welcome_among(tx, inbox, [address])(address) else None
    return None
