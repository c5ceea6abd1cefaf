"""Sending a draft: once, because the row is marked ``sent`` in the transaction that accepts the mail."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TypedDict

from gateway.core.context import Core
from gateway.core.drafts.drafts import find_draft_and_inbox, take_away
from gateway.core.drafts.files import files_of
from gateway.core.drafts.folder import require_copy
from gateway.core.drafts.labels import labels_after
from gateway.core.errors import CoreError, NotFound
from gateway.core.idempotency import Completion
from gateway.core.lookup import require, require_own_test
from gateway.core.mail import messages
from gateway.core.sending import reply as replies
from gateway.core.sending import send as sending
from gateway.core.sending.reply import ReplyRequest
from gateway.core.sending.send import SendRequest
from gateway.core.sending.sent_before import Once
from gateway.core.sent import Sent
from gateway.records.drafts import Draft
from gateway.records.ids import DraftId, derived_ulid, now_us
from gateway.records.inboxes import Inbox
from gateway.store.queries.drafts import note_draft_sent, unscoped_sent_draft
from gateway.store.queries.threads import unscoped_thread
from gateway.store.scope import Scope
from gateway.store.transaction import Tx


async def send_draft(
    core: Core,
    scope: Scope,
    inbox_ref: str | None,
    draft_ref: str,
    *,
    add_labels: Sequence[str] = (),
    remove_labels: Sequence[str] = (),
    most_recipients: int | None = None,
    completion: Completion | None = None,
) -> Sent:
    """Send a draft and remove it.

    Raises NotFound (sent or deleted already), NotWhereFiled (a person deleted or changed it just now) and what
    ``sending.send`` raises.
    """
    require(scope, "draft_send")
    inbox, draft = await core.store.read(lambda tx: find_draft_and_inbox(tx, scope, inbox_ref, draft_ref))
    require_own_test(scope, [draft], "draft")
    if draft.forward_of:  # the mail that is sent on goes to whoever the draft names
        require(scope, "message_read")
    await require_copy(core, inbox, draft)
    labels = labels_after(draft, add_labels, remove_labels)
    inner = Scope(scope.organization, test=scope.test, key_id=scope.key_id)
    sent = await _send(core, inner, inbox, draft, sorted(labels), most_recipients, completion)
    await sweep(core, inbox, draft.id)
    return sent


class _People(TypedDict):
    to: list[str]
    cc: list[str]
    bcc: list[str]
    reply_to: list[str]


async def _send(
    core: Core,
    scope: Scope,
    inbox: Inbox,
    draft: Draft,
    labels: list[str],
    most_recipients: int | None,
    completion: Completion | None,
) -> Sent:
    content = draft.content
    files = await files_of(core, inbox, draft)
    people: _People = {
        "to": list(map(str, content.to)),
        "cc": list(map(str, content.cc)),
        "bcc": list(map(str, content.bcc)),
        "reply_to": list(map(str, content.reply_to)),
    }

    def also(tx: Tx) -> None:
        if not note_draft_sent(tx, draft, now_us()):
            raise NotFound("the draft was sent, changed or deleted just now")

    # a draft is sent once, also when the database that says so was lost
    once = Once(derived_ulid(0, "draft", draft.id), draft.updated_at)
    if draft.forward_of:
        found = await messages.get_messages(
            core, scope, inbox.id, [draft.forward_of], texts=True, strict=True
        )
        request = ReplyRequest(
            **people,
            subject=content.subject or None,
            text=content.text,
            html=content.html,
            labels=labels,
            attachments=files,
            most_recipients=most_recipients,
        )
        return await replies.forward(
            core, scope, inbox, found[0], request, idempotency=completion, also=also, once=once
        )
    thread = None
    if content.thread_id:
        thread = await core.store.read(partial(unscoped_thread, thread_id=content.thread_id))
    wanted = SendRequest(
        **people,
        subject=content.subject,
        text=content.text,
        html=content.html,
        labels=labels,
        attachments=files,
        most_recipients=most_recipients,
        in_reply_to=content.in_reply_to,
        references=content.references or (),
        thread_id=None if thread is None else thread.id,
    )
    return await sending.send(core, scope, inbox, wanted, completion, also, once)


async def sweep(core: Core, inbox: Inbox, draft_id: DraftId) -> None:
    """Take a sent draft out of the Drafts folder, then put it away. Left for the scheduler when that fails."""
    draft = await core.store.read(lambda tx: unscoped_sent_draft(tx, draft_id))
    if draft is None:
        return
    try:
        await take_away(core, inbox, draft)
    except CoreError:
        return
