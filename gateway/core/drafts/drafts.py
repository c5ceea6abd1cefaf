"""Drafts: ours in the API and a person's in the mailbox are the same drafts.

A draft is filed in the Drafts folder first and recorded after it; an edit files the new text, records it, then
expunges the old. Sending marks the row ``sent`` in the transaction that accepts the mail, so one draft is sent
once whatever crashes; what is left in the folder is taken away after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gateway.core.context import Core
from gateway.core.drafts.content import PEOPLE, check_content, check_people, draft_mime, empty
from gateway.core.drafts.files import files_of, new_facts, store_files
from gateway.core.drafts.folder import file_draft, remove_copies, remove_draft, require_copy
from gateway.core.errors import Conflict, CoreError, Invalid
from gateway.core.lookup import find_draft, find_inbox, require, require_own_test
from gateway.core.mail.messages import get_messages, reach
from gateway.core.mail.relabel import check_labels, check_total
from gateway.core.mail.server_copy import on_server
from gateway.core.sending.reply import ReplyRequest, original_of, reply_request
from gateway.mime.reply.reply import forward_subject
from gateway.mime.types import Address, OutgoingAttachment
from gateway.records.inboxes import Inbox
from gateway.store.drafts import SHOWN
from gateway.store.engine import Row, Tx
from gateway.store.ids import derived_ulid, new_ulid, now_us
from gateway.store.json_columns import dump, load
from gateway.store.labels import SYSTEM
from gateway.store.listing import Filter, Listing, Window, cut, keyset
from gateway.store.scope import Scope
from mailserver.imap import Client

SCHEDULED = "scheduled"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftChange:
    """``fields`` holds what is to be replaced (to, cc, bcc, reply_to, subject, text, html, send_at)."""

    fields: dict[str, Any] = field(default_factory=dict)
    add_files: Sequence[OutgoingAttachment] = ()
    remove_files: Sequence[str] = ()
    add_labels: Sequence[str] = ()
    remove_labels: Sequence[str] = ()


async def create_draft(core: Core, scope: Scope, inbox_ref: str, new: NewDraft) -> Row:
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
    check_content(content, core.settings.limits.recipients)
    labels = set(_draft_labels(new.labels, "labels"))
    if new.send_at is not None:
        check_send_at(new.send_at)
        labels.add(SCHEDULED)
    draft_id, at = new_ulid(), now_us()
    if new.client_id is not None:  # a copy that a kill left is of this id, too, whoever asks again
        named = derived_ulid(inbox.created_at, inbox.id, "draft by client_id", new.client_id)
        hidden = f"SELECT 1 FROM draft WHERE id = ? AND NOT {SHOWN}"  # noqa: S608
        if not await core.store.read(lambda tx: tx.value(hidden, named)):
            draft_id = named
    raw = await draft_mime(core.parser, inbox, draft_id, content, new.files, at)
    facts = new_facts(new.files)
    validity, uid = await _file(core, inbox, draft_id, raw)

    def write(tx: Tx) -> Row:
        tx.lock(f"drafts/{inbox.id}")
        known = _by_client_id(tx, inbox, new.client_id) if new.client_id is not None else None
        if known is not None:
            return known
        tx.run("DELETE FROM draft WHERE id = ?", draft_id)  # the sync may have met its mail first
        tx.insert(
            "draft",
            {
                "id": draft_id,
                "organization_id": inbox.organization_id,
                "inbox_id": inbox.id,
                "client_id": new.client_id,
                "content_json": dump(content),
                "attachments_json": dump(facts),
                "labels_json": dump(sorted(labels)),
                "in_reply_to": original if new.in_reply_to is not None else None,
                "forward_of": original if new.forward_of is not None else None,
                "reply_all": int(new.reply_all),
                "send_at": new.send_at,
                "send_status": SCHEDULED if new.send_at is not None else None,
                "test": int(scope.test),
                "uid": uid,
                "uidvalidity": validity,
                "created_at": at,
                "updated_at": at,
            },
        )
        store_files(tx, draft_id, facts, new.files)
        return _row(tx, draft_id)

    row = await core.store.write(write)
    if row["uid"] != uid or row["uidvalidity"] != validity:
        await _take_away(core, inbox, validity, uid)
    elif new.client_id is not None:
        await _take_older_away(core, inbox, draft_id, uid)
    return row


async def get_draft(core: Core, scope: Scope, inbox_ref: str | None, draft_ref: str) -> Row:
    """One draft row. Raises NotFound, Forbidden."""
    require(scope, "draft_read")
    return (await core.store.read(lambda tx: _found(tx, scope, inbox_ref, draft_ref)))[1]


async def list_drafts(
    core: Core, scope: Scope, inbox_ref: str | None, wanted: Filter, window: Window
) -> Listing[Row]:
    """Drafts of an inbox (or with None of every inbox in reach), last changed first."""
    require(scope, "draft_read")

    def read(tx: Tx) -> Listing[Row]:
        inbox = find_inbox(tx, scope, inbox_ref) if inbox_ref is not None else None
        where, args, _ = reach(tx, scope, inbox, "draft")
        where += f" AND {SHOWN}"
        for label in wanted.labels:
            where, args = f"{where} AND replace(labels_json, ?, '') <> labels_json", [*args, dump(label)]
        for sign, at in (("<", wanted.before), (">", wanted.after)):
            if at is not None:
                where, args = f"{where} AND updated_at {sign} ?", [*args, at]
        position, values, order = keyset(window, "updated_at", "id")
        rows = tx.rows(
            f"SELECT * FROM draft WHERE {where}{position} ORDER BY {order} LIMIT ? OFFSET ?",  # noqa: S608
            *args,
            *values,
            window.limit + 1,
            0 if window.position else window.offset,
        )
        rows, following = cut(rows, window, "updated_at")
        total = tx.value(f"SELECT count(*) FROM draft WHERE {where}", *args)  # noqa: S608
        return Listing(rows, total, following)

    return await core.store.read(read)


async def update_draft(
    core: Core, scope: Scope, inbox_ref: str | None, draft_ref: str, change: DraftChange
) -> Row:
    """Edit a draft. Raises NotFound, Invalid, Conflict (edited, sent or deleted at the same time), Unavailable."""
    require(scope, "draft_update")
    inbox, row = await core.store.read(lambda tx: _found(tx, scope, inbox_ref, draft_ref))
    require_own_test(scope, [row], "draft")
    await require_copy(core, inbox, row)
    content = load(row["content_json"])
    for name, value in change.fields.items():
        if name in PEOPLE:
            content[name] = check_people(value, name)
        elif name != "send_at":
            content[name] = value if name != "subject" else value or ""
    check_content(content, core.settings.limits.recipients)
    send_at = change.fields.get("send_at", row["send_at"])
    status = row["send_status"]
    if "send_at" in change.fields:
        if send_at is not None:
            check_send_at(send_at)
        status = SCHEDULED if send_at is not None else None
        content.pop("failure", None)
    labels = set(load(row["labels_json"])) | set(_draft_labels(change.add_labels, "add_labels"))
    labels -= {*_draft_labels(change.remove_labels, "remove_labels"), SCHEDULED}
    check_total(labels, load(row["labels_json"]), "add_labels")
    if status == SCHEDULED:
        labels.add(SCHEDULED)
    gone = {one.lower().removeprefix("att_") for one in change.remove_files}
    facts = load(row["attachments_json"])
    strangers = gone - {one["id"].removeprefix("att_") for one in facts}
    if strangers:
        raise Invalid("remove_attachments names no attachment of this draft", field="remove_attachments")
    held = await files_of(core, inbox, row)
    kept = [
        (fact, one)
        for fact, one in zip(facts, held, strict=True)
        if fact["id"].removeprefix("att_") not in gone
    ]
    added = new_facts(change.add_files)
    files = [*(one for _, one in kept), *change.add_files]
    if sum(len(one.content) for one in files) > core.settings.limits.attachment_bytes:
        raise Invalid("the attachments are too large together", field="add_attachments")
    at = max(now_us(), row["updated_at"] + 1)
    raw = await draft_mime(core.parser, inbox, row["id"], content, files, at)
    validity, uid = await _file(core, inbox, row["id"], raw)

    def write(tx: Tx) -> Row:
        done = tx.run(
            "UPDATE draft SET content_json = ?, attachments_json = ?, labels_json = ?, send_at = ?, "  # noqa: S608
            "send_status = ?, test = ?, uid = ?, uidvalidity = ?, updated_at = ? WHERE id = ? AND updated_at = ? "
            f"AND {SHOWN} AND (send_status IS NULL OR send_status <> 'sending')",
            dump(content),
            dump([*(fact for fact, _ in kept), *added]),
            dump(sorted(labels)),
            send_at,
            status,
            int(scope.test) if "send_at" in change.fields else row["test"],
            uid,
            validity,
            at,
            row["id"],
            row["updated_at"],
        )
        if not done:
            raise Conflict("the draft was changed or sent at the same time", fix="read it again")
        tx.run("DELETE FROM draft_file WHERE draft_id = ?", row["id"])
        store_files(tx, row["id"], [*(fact for fact, _ in kept), *added], files)
        return _row(tx, row["id"])

    try:
        changed = await core.store.write(write)
    except Conflict:
        await _take_away(core, inbox, validity, uid)
        raise
    if row["uid"] is not None and row["uid"] != uid:
        await _take_away(core, inbox, row["uidvalidity"], row["uid"])
    await _take_older_away(core, inbox, row["id"], uid)
    return changed


async def delete_draft(core: Core, scope: Scope, inbox_ref: str | None, draft_ref: str) -> None:
    """Delete a draft, from the Drafts folder first. Raises NotFound, Unavailable (nothing changed)."""
    require(scope, "draft_delete")
    inbox, row = await core.store.read(lambda tx: _found(tx, scope, inbox_ref, draft_ref))
    require_own_test(scope, [row], "draft")
    if row["uid"] is not None:
        await on_server(core, inbox.address, partial(take_away, inbox=inbox, row=row))
    await core.store.write(lambda tx: put_away(tx, row["id"]))


def take_away(client: Client, inbox: Inbox, row: Row) -> None:
    """Expunge a draft, with each copy of it that there is."""
    remove_draft(client, row["uidvalidity"], row["uid"])
    remove_copies(client, rfc_id(inbox, row["id"]))


def rfc_id(inbox: Inbox, draft_id: str) -> str:
    """The Message-ID of our own copies of a draft."""
    return f"<dft_{draft_id}@{inbox.domain}>"


def put_away(tx: Tx, draft_id: str) -> None:
    """Empty a draft that was taken out of its folder, and hide it.

    The scheduler deletes the row a while later: a pass that has read the copy must not take it for a person's draft.
    """
    tx.run("DELETE FROM draft_file WHERE draft_id = ?", draft_id)
    tx.run(
        "UPDATE draft SET send_status = 'gone', client_id = NULL, content_json = ?, attachments_json = '[]', "
        "labels_json = '[]', send_at = NULL, updated_at = ? WHERE id = ?",
        dump(empty()),
        now_us(),
        draft_id,
    )


def check_send_at(at: int) -> None:
    """Raises Invalid for a time that has passed."""
    if at <= now_us():
        raise Invalid("send_at is not in the future", field="send_at", fix="POST …/send sends at once")


def _draft_labels(given: Sequence[str], where: str) -> list[str]:
    labels = check_labels(given, where)
    for number, label in enumerate(labels):
        if label in SYSTEM or label.startswith("folder:"):
            raise Invalid(f"the label {label!r} is not for drafts", field=f"{where}[{number}]")
    return labels


async def _content_of(
    core: Core, scope: Scope, inbox: Inbox, new: NewDraft
) -> tuple[dict[str, Any], str | None]:
    """(content, ULID of the message it answers or forwards)."""
    content = empty() | {
        "subject": new.subject or "",
        "text": new.text,
        "html": new.html,
        **{name: check_people(getattr(new, name), name) for name in PEOPLE},
    }
    ref = new.in_reply_to if new.in_reply_to is not None else new.forward_of
    if new.in_reply_to is not None and new.forward_of is not None:
        raise Invalid("in_reply_to and forward_of exclude each other", field="forward_of")
    if ref is None:
        if new.reply_all:
            raise Invalid("reply_all needs in_reply_to", field="reply_all")
        return content, None
    row = (await get_messages(core, scope, inbox.id, [ref], bodies=True, strict=True))[0]
    if new.forward_of is not None:
        if new.subject is None:
            content["subject"] = forward_subject(original_of(row).subject)
        return content, row["id"]
    if new.reply_all and (new.to or new.cc or new.bcc):
        raise Invalid("with reply_all the message names the recipients", field="reply_all")
    wanted = reply_request(
        inbox,
        row,
        ReplyRequest(to=new.to, cc=new.cc, bcc=new.bcc, subject=new.subject),
        reply_all=new.reply_all,
    )
    content["to"] = _pairs(wanted.to, "to")
    content["cc"] = _pairs(wanted.cc, "cc")
    content["bcc"] = _pairs(wanted.bcc, "bcc")
    content["subject"] = wanted.subject
    content["in_reply_to"] = wanted.in_reply_to
    content["references"] = list(wanted.references)
    content["thread_id"] = wanted.thread_id
    return content, row["id"]


def _pairs(people: Sequence[str], name: str) -> list[list[str]]:
    return check_people(people, name)


def as_texts(content: dict[str, Any], name: str) -> list[str]:
    """The addresses of one field as text."""
    return [str(Address(*pair)) for pair in content[name]]


def _by_client_id(tx: Tx, inbox: Inbox, client_id: str | None) -> Row | None:
    return tx.row(
        f"SELECT * FROM draft WHERE inbox_id = ? AND client_id = ? AND {SHOWN}",  # noqa: S608
        inbox.id,
        client_id,
    )


def _row(tx: Tx, draft_id: str) -> Row:
    row = tx.row("SELECT * FROM draft WHERE id = ?", draft_id)
    assert row is not None
    return row


def _found(tx: Tx, scope: Scope, inbox_ref: str | None, draft_ref: str) -> tuple[Inbox, Row]:
    inbox = find_inbox(tx, scope, inbox_ref) if inbox_ref is not None else None
    row = find_draft(tx, scope, inbox, draft_ref)
    return inbox or find_inbox(tx, scope, row["inbox_id"]), row


async def _file(core: Core, inbox: Inbox, draft_id: str, raw: bytes) -> tuple[int, int]:
    rfc = rfc_id(inbox, draft_id)
    return await on_server(core, inbox.address, lambda client: file_draft(client, raw, rfc))


async def _take_older_away(core: Core, inbox: Inbox, draft_id: str, uid: int) -> None:
    """Expunge copies of a draft that were filed before the one its row names; as ``_take_away``."""
    older = partial(remove_copies, message_id=rfc_id(inbox, draft_id), newest=uid)
    try:
        await on_server(core, inbox.address, older)
    except CoreError:
        pass


async def _take_away(core: Core, inbox: Inbox, validity: int, uid: int) -> None:
    """Expunge a copy that no row names; when that fails a person sees one copy too many, nothing is lost."""
    try:
        await on_server(core, inbox.address, lambda client: remove_draft(client, validity, uid))
    except CoreError:
        pass
