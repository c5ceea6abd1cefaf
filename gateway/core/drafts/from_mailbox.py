"""Drafts a person writes in a mail client, as the sync meets them in the Drafts folder.

A copy of our own carries ``X-Postern-Draft`` and only moves the UID of its row; anything else is the person's,
known by its Message-ID, so an edit in the client changes the same draft.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.drafts.content import HEADER, empty
from gateway.mime.types import ParsedMessage
from gateway.records.inboxes import Inbox
from gateway.store.drafts import SHOWN
from gateway.store.engine import Row, Store, Tx
from gateway.store.ids import derived_ulid, now_us, parse_id
from gateway.store.json_columns import dump
from gateway.sync.apply import Copy


def note_person_draft(tx: Tx, inbox: Inbox, uid: int, uidvalidity: int, parsed: ParsedMessage) -> None:
    """A message stands in Drafts. Idempotent."""
    tx.lock(f"drafts/{inbox.id}")  # whoever files or puts away one is through with its row
    own = _own_id(parsed)
    known = _known(tx, own) if own else None
    if known is not None and known["inbox_id"] == inbox.id and known["send_status"] != "gone":
        if known["uidvalidity"] != uidvalidity or (known["uid"] or 0) < uid:
            tx.update("draft", "id", own, {"uid": uid, "uidvalidity": uidvalidity})
        return
    if known is not None and _was_there(known, inbox, uid, uidvalidity):
        return
    at = parsed.date or now_us()
    if own is None or known is not None:
        own = _person_id(inbox, parsed)
        known = _known(tx, own)
        if known is not None and _was_there(known, inbox, uid, uidvalidity):
            return
        if known is not None and known["send_status"] == "gone":
            tx.run("DELETE FROM draft WHERE id = ?", own)  # written anew
            known = None
    changes = _read_content(parsed) | {"uid": uid, "uidvalidity": uidvalidity, "updated_at": now_us()}
    if known is not None:
        tx.update("draft", "id", own, changes)
        return
    tx.insert(
        "draft",
        {
            "id": own,
            "organization_id": inbox.organization_id,
            "inbox_id": inbox.id,
            "origin": "imap",
            "created_at": at,
            **changes,
        },
    )


def _read_content(parsed: ParsedMessage) -> Row:
    """What a person wrote in a draft, as columns."""
    content = empty() | {
        "to": [[one.name, one.email] for one in parsed.to],
        "cc": [[one.name, one.email] for one in parsed.cc],
        "bcc": [[one.name, one.email] for one in parsed.bcc],
        "reply_to": [[one.name, one.email] for one in parsed.reply_to],
        "subject": parsed.subject,
        "text": parsed.text,
        "html": parsed.html,
        "in_reply_to": parsed.in_reply_to[0] if parsed.in_reply_to else None,
        "references": parsed.references,
    }
    return {"content_json": dump(content), "attachments_json": dump(parsed.attachments)}


def filed_copies(tx: Tx, inbox: Inbox) -> set[Copy]:
    """The copies (UIDVALIDITY, UID) that the drafts of an inbox are known by."""
    query = f"SELECT uidvalidity, uid FROM draft WHERE inbox_id = ? AND uid IS NOT NULL AND {SHOWN}"  # noqa: S608
    return {(row["uidvalidity"], row["uid"]) for row in tx.rows(query, inbox.id)}


def settle_gone(tx: Tx, inbox: Inbox, gone: set[Copy], others: Sequence[tuple[Copy, ParsedMessage]]) -> int:
    """Copies are gone from Drafts: a draft that is there as another copy is known by that one, any other is removed.

    Args:
        gone: (UIDVALIDITY, UID) of copies that drafts were known by.
        others: the copies that no draft was known by, as they were read after that.

    Returns:
        How many drafts were removed.
    """
    tx.lock(f"drafts/{inbox.id}")
    for (validity, uid), parsed in others:
        for draft_id in _possible_ids(inbox, parsed):
            known = _known(tx, draft_id)
            if known is None or known["inbox_id"] != inbox.id or known["send_status"] in ("sent", "gone"):
                continue
            if (known["uidvalidity"], known["uid"]) in gone:
                changes: Row = {"uid": uid, "uidvalidity": validity}
                if known["origin"] == "imap":  # the other copy may be what the person wrote before
                    changes |= _read_content(parsed) | {"updated_at": now_us()}
                tx.update("draft", "id", draft_id, changes)
                break
    removed = 0
    for validity, uid in gone:
        query = f"SELECT id FROM draft WHERE inbox_id = ? AND uidvalidity = ? AND uid = ? AND {SHOWN}"  # noqa: S608
        for row in tx.rows(query, inbox.id, validity, uid):
            tx.run("DELETE FROM draft_file WHERE draft_id = ?", row["id"])
            tx.run("DELETE FROM draft WHERE id = ?", row["id"])
            removed += 1
    return removed


def _possible_ids(inbox: Inbox, parsed: ParsedMessage) -> list[str]:
    """The drafts that a copy may be one of: the one it names, and a person's by its Message-ID."""
    own = _own_id(parsed)
    return [*([own] if own else []), _person_id(inbox, parsed)]


def _person_id(inbox: Inbox, parsed: ParsedMessage) -> str:
    return derived_ulid(inbox.created_at, inbox.id, "draft", parsed.message_id or parsed.identity)


def _known(tx: Tx, draft_id: str) -> Row | None:
    query = "SELECT id, uid, uidvalidity, inbox_id, send_status, origin FROM draft WHERE id = ?"
    return tx.row(query, draft_id)


def _was_there(known: Row, inbox: Inbox, uid: int, uidvalidity: int) -> bool:
    """Whether this copy was read before its draft was taken out of the folder. A newer one was put there since."""
    return (
        known["send_status"] == "gone"
        and (known["inbox_id"], known["uidvalidity"]) == (inbox.id, uidvalidity)
        and uid <= (known["uid"] or 0)
    )


def _own_id(parsed: ParsedMessage) -> str | None:
    for name, value in parsed.headers.items():
        if name.lower() == HEADER.lower():
            return parse_id("dft", value.partition("\n")[0])
    return None


class MailboxDrafts:
    """What the sync is handed (its ``DraftSink``)."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(self, tx: Tx, inbox: Inbox, uid: int, uidvalidity: int, parsed: ParsedMessage) -> None:
        """A message is in Drafts."""
        note_person_draft(tx, inbox, uid, uidvalidity, parsed)

    def filed(self, tx: Tx, inbox: Inbox) -> set[Copy]:
        """The copies that the drafts of an inbox are known by."""
        return filed_copies(tx, inbox)

    def settle(
        self, tx: Tx, inbox: Inbox, gone: set[Copy], others: Sequence[tuple[Copy, ParsedMessage]]
    ) -> int:
        """Copies are gone from Drafts (see ``settle_gone``)."""
        return settle_gone(tx, inbox, gone, others)
