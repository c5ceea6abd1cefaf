"""Editing a draft: the new text is filed first, recorded after it, and the old copy expunged last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from msgspec import UNSET, UnsetType

from gateway.core.context import Core
from gateway.core.drafts.content import (
    check_content,
    check_people,
    check_send_at,
    draft_mime,
)
from gateway.core.drafts.drafts import find_draft_and_inbox
from gateway.core.drafts.files import file_id, files_of, new_attachments, store_files
from gateway.core.drafts.folder import (
    drop_copy,
    drop_older_copies,
    file_copy,
    require_copy,
)
from gateway.core.drafts.labels import SCHEDULED, labels_after
from gateway.core.errors import Conflict, Invalid
from gateway.core.lookup import require, require_own_test
from gateway.mime.types import Address, OutgoingAttachment
from gateway.records.drafts import Draft, DraftContent
from gateway.records.ids import now_us
from gateway.store.json_columns import dump
from gateway.store.queries.drafts import (
    revise_draft,
)
from gateway.store.scope import Scope
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftChange:
    """What an edit replaces, adds and takes away; what is UNSET stays."""

    to: Sequence[str] | UnsetType = UNSET
    cc: Sequence[str] | UnsetType = UNSET
    bcc: Sequence[str] | UnsetType = UNSET
    reply_to: Sequence[str] | UnsetType = UNSET
    subject: str | UnsetType | None = UNSET
    text: str | UnsetType | None = UNSET
    html: str | UnsetType | None = UNSET
    send_at: int | UnsetType | None = UNSET
    add_files: Sequence[OutgoingAttachment] = ()
    remove_files: Sequence[str] = ()
    add_labels: Sequence[str] = ()
    remove_labels: Sequence[str] = ()


async def update_draft(
    core: Core, scope: Scope, inbox_ref: str | None, draft_ref: str, change: DraftChange
) -> Draft:
    """Edit a draft. Raises NotFound, Invalid, Conflict (edited, sent or deleted at the same time), Unavailable."""
    require(scope, "draft_update")
    inbox, draft = await core.store.read(lambda tx: find_draft_and_inbox(tx, scope, inbox_ref, draft_ref))
    require_own_test(scope, [draft], "draft")
    await require_copy(core, inbox, draft)
    content = check_content(_changed_content(draft.content, change), core.settings.limits.recipients)
    send_at, status, test = draft.send_at, draft.send_status, draft.test
    if not isinstance(change.send_at, UnsetType):
        send_at, test = change.send_at, scope.test
        if send_at is not None:
            check_send_at(send_at)
        status = SCHEDULED if send_at is not None else None
    labels = labels_after(draft, change.add_labels, change.remove_labels)
    if status == SCHEDULED:
        labels.add(SCHEDULED)
    gone = {one.lower().removeprefix("att_") for one in change.remove_files}
    attachments = draft.attachments
    if gone - {file_id(one) for one in attachments}:
        raise Invalid("remove_attachments names no attachment of this draft", field="remove_attachments")
    held = await files_of(core, inbox, draft)
    kept = [
        (attachment, file)
        for attachment, file in zip(attachments, held, strict=True)
        if file_id(attachment) not in gone
    ]
    files = [*(file for _, file in kept), *change.add_files]
    if sum(len(one.content) for one in files) > core.settings.limits.attachment_bytes:
        raise Invalid("the attachments are too large together", field="add_attachments")
    attachments = [*(attachment for attachment, _ in kept), *new_attachments(change.add_files)]
    at = max(now_us(), draft.updated_at + 1)
    raw = await draft_mime(core.parser, inbox, draft.id, content, files, at)
    validity, uid = await file_copy(core, inbox, draft.id, raw)
    revised = msgspec.structs.replace(
        draft,
        content_json=content.json,
        attachments_json=dump(attachments),
        labels_json=dump(sorted(labels)),
        send_at=send_at,
        send_status=status,
        test=test,
        uid=uid,
        uidvalidity=validity,
        updated_at=at,
    )

    def write(tx: Tx) -> Draft:
        if not revise_draft(tx, draft, revised):
            raise Conflict("the draft was changed or sent at the same time", fix="read it again")
        store_files(tx, draft.id, attachments, files)
        return revised

    try:
        changed = await core.store.write(write)
    except Conflict:
        await drop_copy(core, inbox, validity, uid)
        raise
    if draft.copy is not None and draft.uid != uid:
        await drop_copy(core, inbox, *draft.copy)
    await drop_older_copies(core, inbox, draft.id, uid)
    return changed


def _changed_content(content: DraftContent, change: DraftChange) -> DraftContent:
    """The content after an edit. Raises Invalid for what is no address."""
    return msgspec.structs.replace(
        content,
        to=_replaced(content.to, change.to, "to"),
        cc=_replaced(content.cc, change.cc, "cc"),
        bcc=_replaced(content.bcc, change.bcc, "bcc"),
        reply_to=_replaced(content.reply_to, change.reply_to, "reply_to"),
        subject=content.subject if isinstance(change.subject, UnsetType) else change.subject or "",
        text=content.text if isinstance(change.text, UnsetType) else change.text,
        html=content.html if isinstance(change.html, UnsetType) else change.html,
        failure=content.failure if isinstance(change.send_at, UnsetType) else None,
    )


def _replaced(held: list[Address], given: Sequence[str] | UnsetType, field: str) -> list[Address]:
    return held if isinstance(given, UnsetType) else check_people(given, field)
