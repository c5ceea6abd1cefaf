"""Drafts: ours in the API and a person's in the mailbox are the same drafts.

A draft is filed in the Drafts folder first and recorded after it; an edit files the new text, records it, then
expunges the old. Sending marks the row ``sent`` in the transaction that accepts the mail, so one draft is sent
once whatever crashes; what is left in the folder is taken away after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from gateway.core.context import Core
from gateway.core.drafts.content import (
    check_content,
    check_people,
    check_send_at,
    copy_message_id,
    draft_mime,
)
from gateway.core.drafts.files import new_attachments, store_files
from gateway.core.drafts.folder import (
    drop_copy,
    drop_older_copies,
    file_copy,
    remove_copies,
    remove_copy,
)
from gateway.core.drafts.labels import SCHEDULED, checked_labels
from gateway.core.errors import Invalid
from gateway.core.lookup import find_draft, find_inbox, require, require_own_test
from gateway.core.mail.messages import get_messages
from gateway.core.mail.server_copy import on_server
from gateway.core.sending.answered_people import answered_people
from gateway.core.sending.reply import ReplyRequest, original_of, reply_request
from gateway.mime.reply.reply import forward_subject
from gateway.mime.types import OutgoingAttachment
from gateway.records.drafts import Draft, DraftContent
from gateway.records.ids import DRAFT_ID, MessageId, now_us
from gateway.records.inboxes import Inbox
from gateway.store.json_columns import dump
from gateway.store.listing import Filter, Listing, Window
from gateway.store.queries import drafts as queries
from gateway.store.queries.drafts import (
    add_draft,
    draft_is_hidden,
    draft_with_client_id,
    empty_draft,
    remove_draft,
)
from gateway.store.scope import Scope
from gateway.store.transaction import Tx
from mailserver.imap import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDraft:
    """What a caller writes into a new draft. ``in_reply_to`` and ``forward_of`` are message ids of any form."""

    to: Sequence[str] = ()
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    reply_to: Sequence[str] = ()
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    labels: Sequence[str] = ()
    files: Sequence[OutgoingAttachment] = ()
    in_reply_to: str | None = None
    forward_of: str | None = None
    reply_all: bool = False
    send_at: int | None = None
    client_id: str | None = None


async def create_draft(core: Core, scope: Scope, inbox_ref: str, new: NewDraft) -> Draft:
    """Make a draft; the same ``client_id`` again answers the draft there is. Raises Invalid, Unavailable …"""
    require(scope, "draft_create")
    inbox = await core.store.read(lambda tx: find_inbox(tx, scope, inbox_ref))
    if new.client_id is not None:
        if not 1 <= len(new.client_id) <= 256 or "\x00" in new.client_id:
            raise Invalid("client_id takes 1 to 256 characters", field="client_id")
        known = await core.store.read(lambda tx: _by_client_id(tx, inbox, new.client_id))
        if known is not None:
            return known
    content, original = await _content_of(core, scope, inbox, new)
    content = check_content(content, core.settings.limits.recipients)
    labels = set(checked_labels(new.labels, "labels"))
    if new.send_at is not None:
        check_send_at(new.send_at)
        labels.add(SCHEDULED)
    draft_id, at = DRAFT_ID.new(), now_us()
    if new.client_id is not None:  # a copy that a kill left is of this id, too, whoever asks again
        named = DRAFT_ID.derived(inbox.created_at, inbox.id, "draft by client_id", new.client_id)
        if not await core.store.read(lambda tx: draft_is_hidden(tx, named)):
            draft_id = named
    raw = await draft_mime(core.parser, inbox, draft_id, content, new.files, at)
    attachments = new_attachments(new.files)
    validity, uid = await file_copy(core, inbox, draft_id, raw)
    made = Draft(
        id=draft_id,
        organization_id=inbox.organization_id,
        inbox_id=inbox.id,
        client_id=new.client_id,
        content_json=content.json,
        attachments_json=dump(attachments),
        labels_json=dump(sorted(labels)),
        in_reply_to=original if new.in_reply_to is not None else None,
        forward_of=original if new.forward_of is not None else None,
        reply_all=new.reply_all,
        send_at=new.send_at,
        send_status=SCHEDULED if new.send_at is not None else None,
        test=scope.test,
        uid=uid,
        uidvalidity=validity,
        origin="api",
        created_at=at,
        updated_at=at,
    )

    def write(tx: Tx) -> Draft:
        tx.lock(f"drafts/{inbox.id}")
        known = _by_client_id(tx, inbox, new.client_id)
        if known is not None:
            return known
        remove_draft(tx, draft_id)  # the sync may have met its mail first
        add_draft(tx, made)
        store_files(tx, draft_id, attachments, new.files)
        return made

    draft = await core.store.write(write)
    if draft.copy != (validity, uid):
        await drop_copy(core, inbox, validity, uid)
    elif new.client_id is not None:
        await drop_older_copies(core, inbox, draft_id, uid)
    return draft


async def get_draft(core: Core, scope: Scope, inbox_ref: str | None, draft_ref: str) -> Draft:
    """One draft. Raises NotFound, Forbidden."""
    require(scope, "draft_read")
    return (await core.store.read(lambda tx: find_draft_and_inbox(tx, scope, inbox_ref, draft_ref)))[1]


async def list_drafts(
    core: Core, scope: Scope, inbox_ref: str | None, wanted: Filter, window: Window
) -> Listing[Draft]:
    """Drafts of an inbox (or with None of every inbox in reach), last changed first."""
    require(scope, "draft_read")

    def read(tx: Tx) -> Listing[Draft]:
        inbox = find_inbox(tx, scope, inbox_ref) if inbox_ref is not None else None
        return queries.list_drafts(tx, scope, inbox, wanted, window)

    return await core.store.read(read)


async def delete_draft(core: Core, scope: Scope, inbox_ref: str | None, draft_ref: str) -> None:
    """Delete a draft, from the Drafts folder first. Raises NotFound, Unavailable (nothing changed)."""
    require(scope, "draft_delete")
    inbox, draft = await core.store.read(lambda tx: find_draft_and_inbox(tx, scope, inbox_ref, draft_ref))
    require_own_test(scope, [draft], "draft")
    await take_away(core, inbox, draft)


async def take_away(core: Core, inbox: Inbox, draft: Draft) -> None:
    """Expunge a draft, with each copy of it that there is, then empty and hide it. Raises Unavailable.

    The scheduler deletes the row a while later: a pass that has read the copy must not take it for a person's draft.
    """
    if draft.copy is not None:
        await on_server(core, inbox.address, partial(_expunge, inbox=inbox, draft=draft))
    await core.store.write(lambda tx: empty_draft(tx, draft.id, now_us()))


def _expunge(client: Client, inbox: Inbox, draft: Draft) -> None:
    if draft.copy is not None:
        remove_copy(client, *draft.copy)
    remove_copies(client, copy_message_id(inbox, draft.id))


async def _content_of(
    core: Core, scope: Scope, inbox: Inbox, new: NewDraft
) -> tuple[DraftContent, MessageId | None]:
    """(content, ULID of the message it answers or forwards)."""
    content = DraftContent(
        to=check_people(new.to, "to"),
        cc=check_people(new.cc, "cc"),
        bcc=check_people(new.bcc, "bcc"),
        reply_to=check_people(new.reply_to, "reply_to"),
        subject=new.subject or "",
        text=new.text,
        html=new.html,
    )
    ref = new.in_reply_to if new.in_reply_to is not None else new.forward_of
    if new.in_reply_to is not None and new.forward_of is not None:
        raise Invalid("in_reply_to and forward_of exclude each other", field="forward_of")
    if ref is None:
        if new.reply_all:
            raise Invalid("reply_all needs in_reply_to", field="reply_all")
        return content, None
    original = (await get_messages(core, scope, inbox.id, [ref], texts=True, strict=True))[0]
    if new.forward_of is not None:
        if new.subject is None:
            content = msgspec.structs.replace(content, subject=forward_subject(original_of(original).subject))
        return content, original.message.id
    if new.reply_all and (new.to or new.cc or new.bcc):
        raise Invalid("with reply_all the message names the recipients", field="reply_all")
    people = await core.store.read(
        lambda tx: answered_people(tx, inbox, original.message, reply_all=new.reply_all)
    )
    wanted = reply_request(
        original,
        people,
        ReplyRequest(to=new.to, cc=new.cc, bcc=new.bcc, subject=new.subject),
        reply_all=new.reply_all,
    )
    content = msgspec.structs.replace(
        content,
        to=check_people(wanted.to, "to"),
        cc=check_people(wanted.cc, "cc"),
        bcc=check_people(wanted.bcc, "bcc"),
        subject=wanted.subject,
        in_reply_to=wanted.in_reply_to,
        references=list(wanted.references),
        thread_id=wanted.thread_id,
    )
    return content, original.message.id


def _by_client_id(tx: Tx, inbox: Inbox, client_id: str | None) -> Draft | None:
    return None if client_id is None else draft_with_client_id(tx, inbox.id, client_id)


def find_draft_and_inbox(tx: Tx, scope: Scope, inbox_ref: str | None, draft_ref: str) -> tuple[Inbox, Draft]:
    """A draft with its inbox; with ``inbox_ref`` None anywhere inside the reach. Raises NotFound, Forbidden."""
    inbox = find_inbox(tx, scope, inbox_ref) if inbox_ref is not None else None
    draft = find_draft(tx, scope, inbox, draft_ref)
    return inbox or find_inbox(tx, scope, draft.inbox_id), draft
