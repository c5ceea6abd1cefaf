"""Drafts a person writes in a mail client, as the sync meets them in the Drafts folder.

A copy of our own carries ``X-Postern-Draft`` and only moves the UID of its row; anything else is the person's,
known by its Message-ID, so an edit in the client changes the same draft.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from gateway.core.drafts.content import HEADER
from gateway.mime.types import ParsedMessage
from gateway.records.drafts import Draft, DraftContent, DraftCopy
from gateway.records.folders import CopyKey
from gateway.records.ids import DRAFT_ID, DraftId, now_us
from gateway.records.inboxes import Inbox
from gateway.store.engine import Store
from gateway.store.json_columns import dump
from gateway.store.queries.drafts import (
    add_draft,
    change_draft,
    filed_copies,
    remove_draft,
    remove_drafts_filed_as,
    unscoped_draft_copy,
)
from gateway.store.transaction import Tx


def note_person_draft(tx: Tx, inbox: Inbox, uid: int, uidvalidity: int, parsed: ParsedMessage) -> None:
    """Record a message that is in Drafts. Idempotent."""
    tx.lock(f"drafts/{inbox.id}")  # whoever files or puts away one is through with its row
    own = _own_id(parsed)
    known = unscoped_draft_copy(tx, own) if own else None
    if known is not None and known.inbox_id == inbox.id and known.send_status != "gone":
        if known.uidvalidity != uidvalidity or (known.uid or 0) < uid:
            change_draft(tx, known.id, uid=uid, uidvalidity=uidvalidity)
        return
    if known is not None and _was_there(known, inbox, uid, uidvalidity):
        return
    at = parsed.date or now_us()
    if own is None or known is not None:
        own = _person_id(inbox, parsed)
        known = unscoped_draft_copy(tx, own)
        if known is not None and _was_there(known, inbox, uid, uidvalidity):
            return
        if known is not None and known.send_status == "gone":
            remove_draft(tx, own)  # written anew
            known = None
    if known is not None:
        change_draft(tx, own, **_as_filed(parsed, uid, uidvalidity))
        return
    add_draft(
        tx,
        Draft(
            id=own,
            organization_id=inbox.organization_id,
            inbox_id=inbox.id,
            client_id=None,
            labels_json="[]",
            in_reply_to=None,
            forward_of=None,
            reply_all=False,
            send_at=None,
            send_status=None,
            test=False,
            origin="imap",
            created_at=at,
            **_as_filed(parsed, uid, uidvalidity),
        ),
    )


class _Filed(TypedDict):
    content_json: str
    attachments_json: str
    uid: int
    uidvalidity: int
    updated_at: int


def _as_filed(parsed: ParsedMessage, uid: int, uidvalidity: int) -> _Filed:
    """What a person wrote in a draft just now and the copy that says so, as columns."""
    content = DraftContent(
        to=parsed.to,
        cc=parsed.cc,
        bcc=parsed.bcc,
        reply_to=parsed.reply_to,
        subject=parsed.subject,
        text=parsed.text,
        html=parsed.html,
        in_reply_to=parsed.in_reply_to[0] if parsed.in_reply_to else None,
        references=parsed.references,
    )
    return {
        "content_json": content.json,
        "attachments_json": dump(parsed.attachments),
        "uid": uid,
        "uidvalidity": uidvalidity,
        "updated_at": now_us(),
    }


def settle_gone(
    tx: Tx, inbox: Inbox, gone: set[CopyKey], others: Sequence[tuple[CopyKey, ParsedMessage]]
) -> int:
    """Copies are gone from Drafts: a draft that is there as another copy is known by that one, any other is removed.

    Args:
        gone: the copies that drafts were known by.
        others: the copies that no draft was known by, as they were read after that.

    Returns:
        How many drafts were removed.
    """
    tx.lock(f"drafts/{inbox.id}")
    for (validity, uid), parsed in others:
        for draft_id in _possible_ids(inbox, parsed):
            known = unscoped_draft_copy(tx, draft_id)
            if known is None or known.inbox_id != inbox.id or known.send_status in ("sent", "gone"):
                continue
            if (known.uidvalidity, known.uid) in gone:
                if known.origin == "imap":  # the other copy may be what the person wrote before
                    change_draft(tx, draft_id, **_as_filed(parsed, uid, validity))
                else:
                    change_draft(tx, draft_id, uid=uid, uidvalidity=validity)
                break
    return sum(remove_drafts_filed_as(tx, inbox.id, validity, uid) for validity, uid in gone)


def _possible_ids(inbox: Inbox, parsed: ParsedMessage) -> list[DraftId]:
    """The drafts that a copy may be one of: the one it names, and a person's by its Message-ID."""
    own = _own_id(parsed)
    return [*([own] if own else []), _person_id(inbox, parsed)]


def _person_id(inbox: Inbox, parsed: ParsedMessage) -> DraftId:
    return DRAFT_ID.derived(inbox.created_at, inbox.id, "draft", parsed.message_id or parsed.identity)


def _was_there(known: DraftCopy, inbox: Inbox, uid: int, uidvalidity: int) -> bool:
    """Whether this copy was read before its draft was taken out of the folder. A newer one was put there since."""
    return (
        known.send_status == "gone"
        and (known.inbox_id, known.uidvalidity) == (inbox.id, uidvalidity)
        and uid <= (known.uid or 0)
    )


def _own_id(parsed: ParsedMessage) -> DraftId | None:
    for name, value in parsed.headers.items():
        if name.lower() == HEADER.lower():
            return DRAFT_ID.parse(value.partition("\n")[0])
    return None


class MailboxDrafts:
    """What the sync is handed (its ``DraftSink``)."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(self, tx: Tx, inbox: Inbox, uid: int, uidvalidity: int, parsed: ParsedMessage) -> None:
        """A message is in Drafts."""
        note_person_draft(tx, inbox, uid, uidvalidity, parsed)

    def filed(self, tx: Tx, inbox: Inbox) -> set[CopyKey]:
        """The copies that the drafts of an inbox are known by."""
        return filed_copies(tx, inbox.id)

    def settle(
        self, tx: Tx, inbox: Inbox, gone: set[CopyKey], others: Sequence[tuple[CopyKey, ParsedMessage]]
    ) -> int:
        """Copies are gone from Drafts (see ``settle_gone``)."""
        return settle_gone(tx, inbox, gone, others)
