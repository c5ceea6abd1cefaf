"""Drafts a person writes in a mail client, as the sync meets them in the Drafts folder.

A copy of our own carries ``X-Postern-Draft`` and only moves the UID of its row; anything else is the person's,
known by its Message-ID, so an edit in the client changes the same draft.
"""

from __future__ import annotations

from gateway.core.draft_content import HEADER, empty
from gateway.mime.types import ParsedMessage
from gateway.store.engine import Row, Store, Tx
from gateway.store.ids import derived_ulid, now_us, parse_id
from gateway.store.jsontext import dump


def note_person_draft(tx: Tx, inbox: Row, uid: int, uidvalidity: int, parsed: ParsedMessage) -> None:
    """A message stands in Drafts. Idempotent."""
    tx.lock(f"drafts/{inbox['id']}")  # whoever files or puts away one is through with its row
    own = _own_id(parsed)
    known = _known(tx, own) if own else None
    if known is not None and known["inbox_id"] == inbox["id"] and known["send_status"] != "gone":
        if known["uidvalidity"] != uidvalidity or (known["uid"] or 0) < uid:
            tx.update("draft", "id", own, {"uid": uid, "uidvalidity": uidvalidity})
        return
    if known is not None and _was_there(known, inbox, uid, uidvalidity):
        return
    at = parsed.date or now_us()
    if own is None or known is not None:
        own = derived_ulid(inbox["created_at"], inbox["id"], "draft", parsed.message_id or parsed.identity)
        known = _known(tx, own)
        if known is not None and _was_there(known, inbox, uid, uidvalidity):
            return
        if known is not None and known["send_status"] == "gone":
            tx.run("DELETE FROM draft WHERE id = ?", own)  # written anew
            known = None
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
    changes: Row = {
        "content_json": dump(content),
        "attachments_json": dump(parsed.attachments),
        "uid": uid,
        "uidvalidity": uidvalidity,
        "updated_at": now_us(),
    }
    if known is not None:
        tx.update("draft", "id", own, changes)
        return
    tx.insert(
        "draft",
        {
            "id": own,
            "organization_id": inbox["organization_id"],
            "inbox_id": inbox["id"],
            "origin": "imap",
            "created_at": at,
            **changes,
        },
    )


def drop_person_draft(tx: Tx, inbox: Row, uid: int) -> None:
    """A UID vanished from Drafts: the draft goes with it, unless it stands under a newer UID by now."""
    row = tx.row(
        "SELECT id FROM draft WHERE inbox_id = ? AND uid = ? AND (send_status IS NULL OR send_status <> 'gone')",
        inbox["id"],
        uid,
    )
    if row is not None:
        tx.run("DELETE FROM draft_file WHERE draft_id = ?", row["id"])
        tx.run("DELETE FROM draft WHERE id = ?", row["id"])


def _known(tx: Tx, draft_id: str) -> Row | None:
    return tx.row("SELECT id, uid, uidvalidity, inbox_id, send_status FROM draft WHERE id = ?", draft_id)


def _was_there(known: Row, inbox: Row, uid: int, uidvalidity: int) -> bool:
    """Whether this copy was read before its draft was taken out of the folder. A newer one was put there since."""
    return (
        known["send_status"] == "gone"
        and (known["inbox_id"], known["uidvalidity"]) == (inbox["id"], uidvalidity)
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

    def note(self, tx: Tx, inbox: Row, uid: int, uidvalidity: int, parsed: ParsedMessage) -> None:
        """A message stands in Drafts."""
        note_person_draft(tx, inbox, uid, uidvalidity, parsed)

    def drop(self, tx: Tx, inbox: Row, uid: int) -> None:
        """A UID vanished from Drafts."""
        drop_person_draft(tx, inbox, uid)
