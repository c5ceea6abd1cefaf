"""Statements about drafts and the octets of their attachments.

Drafts that were sent (``sent``) or taken out of their folder (``gone``) are hidden: their rows stay until no pass over
the mailbox can still be reading their copies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict, Unpack

from gateway.records.drafts import EMPTY, Draft, DraftContent, DraftCopy, DraftKey
from gateway.records.folders import CopyKey
from gateway.records.ids import DraftId, InboxId, OrganizationId
from gateway.records.inboxes import Inbox
from gateway.store.json_columns import dump
from gateway.store.listing import Filter, Listing, Window, page
from gateway.store.queries.inboxes import inbox_ids_in_reach
from gateway.store.scope import Scope
from gateway.store.sql import LARGE, sql
from gateway.store.transaction import Tx

_SHOWN = "(send_status IS NULL OR send_status NOT IN ('sent', 'gone'))"


class DraftChanges(TypedDict, total=False):
    """Columns of a draft that change as its copy does."""

    content_json: str
    attachments_json: str
    uid: int
    uidvalidity: int
    updated_at: int


# --- of one organization ---


def shown_draft(tx: Tx, scope: Scope, draft_id: DraftId) -> Draft | None:
    """The organization's draft with this ULID."""
    return sql(tx).one(
        Draft, f"WHERE id = ? AND organization_id = ? AND {_SHOWN}", draft_id, scope.organization
    )


def list_drafts(tx: Tx, scope: Scope, inbox: Inbox | None, wanted: Filter, window: Window) -> Listing[Draft]:
    """The drafts of an inbox, or with None of every inbox that the key reaches, last changed first.

    Of ``wanted`` the labels and the times count.
    """
    where, args = _reach(tx, scope, inbox)
    where += f" AND {_SHOWN}"
    for label in wanted.labels:
        where, args = f"{where} AND replace(labels_json, ?, '') <> labels_json", [*args, dump(label)]
    for sign, at in (("<", wanted.before), (">", wanted.after)):
        if at is not None:
            where, args = f"{where} AND updated_at {sign} ?", [*args, at]
    return page(tx, Draft, where, args, window, column="updated_at")


def _reach(tx: Tx, scope: Scope, inbox: Inbox | None) -> tuple[str, list[object]]:
    if inbox is not None:
        return "inbox_id = ?", [inbox.id]
    if scope.kind == "organization":
        return "organization_id = ?", [scope.organization]
    ids = inbox_ids_in_reach(tx, scope)
    return (f"inbox_id IN ({', '.join('?' * len(ids))})", [*ids]) if ids else ("1 = 0", [])


# --- of one inbox ---


def draft_with_client_id(tx: Tx, inbox_id: InboxId, client_id: str) -> Draft | None:
    """The draft of an inbox that was made with this ``client_id``."""
    return sql(tx).one(Draft, f"WHERE inbox_id = ? AND client_id = ? AND {_SHOWN}", inbox_id, client_id)


def drafts_after(tx: Tx, inbox_id: InboxId, draft_id: DraftId, most: int) -> list[Draft]:
    """The next ``most`` drafts of an inbox, by ULID, that follow ``draft_id``."""
    return sql(tx).all(
        Draft, f"WHERE inbox_id = ? AND id > ? AND {_SHOWN} ORDER BY id LIMIT ?", inbox_id, draft_id, most
    )


def filed_copies(tx: Tx, inbox_id: InboxId) -> set[CopyKey]:
    """The copies that the drafts of an inbox are known by."""
    query = f"SELECT uidvalidity, uid FROM draft WHERE inbox_id = ? AND uid IS NOT NULL AND {_SHOWN}"  # noqa: S608
    return {(row["uidvalidity"], row["uid"]) for row in sql(tx).rows(query, inbox_id)}


def remove_drafts_filed_as(tx: Tx, inbox_id: InboxId, uidvalidity: int, uid: int) -> int:
    """Delete the drafts of an inbox that are known by this copy; answers how many."""
    query = f"SELECT id FROM draft WHERE inbox_id = ? AND uidvalidity = ? AND uid = ? AND {_SHOWN}"  # noqa: S608
    ids = [row["id"] for row in sql(tx).rows(query, inbox_id, uidvalidity, uid)]
    for draft_id in ids:
        remove_draft(tx, draft_id)
    return len(ids)


# --- of one draft ---


def draft_is_hidden(tx: Tx, draft_id: DraftId) -> bool:
    """Whether there is such a draft, but sent or taken out of its folder."""
    query = f"SELECT 1 FROM draft WHERE id = ? AND NOT {_SHOWN}"  # noqa: S608
    return sql(tx).value(query, draft_id) is not None


def draft_is_being_sent(tx: Tx, draft_id: DraftId) -> bool:
    """Whether the scheduler is at a draft."""
    return sql(tx).value("SELECT 1 FROM draft WHERE id = ? AND send_status = 'sending'", draft_id) is not None


def draft_file_contents(tx: Tx, draft_id: DraftId) -> dict[str, bytes]:
    """The octets of a draft's files, by the ULID of each; those of a person's draft are on the mail server."""
    rows = sql(tx).rows("SELECT id, content FROM draft_file WHERE draft_id = ? ORDER BY id", draft_id)
    return {row["id"]: bytes(row["content"]) for row in rows}


def draft_file_content(tx: Tx, draft_id: DraftId, file_id: str) -> bytes | None:
    """The octets of one file (ULID) of a draft."""
    content = sql(tx).value("SELECT content FROM draft_file WHERE id = ? AND draft_id = ?", file_id, draft_id)
    return None if content is None else bytes(content)


# --- of any organization ---


def unscoped_draft(tx: Tx, draft_id: DraftId) -> Draft | None:
    """A draft by its ULID, also a hidden one."""
    return sql(tx).one(Draft, "WHERE id = ?", draft_id)


def unscoped_sent_draft(tx: Tx, draft_id: DraftId) -> Draft | None:
    """A draft that was sent and whose copy may be in its folder yet."""
    return sql(tx).one(Draft, "WHERE id = ? AND send_status = 'sent'", draft_id)


def unscoped_draft_copy(tx: Tx, draft_id: DraftId) -> DraftCopy | None:
    """Which copy a draft is known by, also a hidden one."""
    return sql(tx).one(DraftCopy, "WHERE id = ?", draft_id)


def unscoped_due_drafts(tx: Tx, at: int) -> list[DraftKey]:
    """The first hundred drafts that are to be sent by ``at`` (µs)."""
    return sql(tx).all(
        DraftKey,
        "WHERE send_at <= ? AND send_status IN ('scheduled', 'sending') ORDER BY send_at LIMIT 100",
        at,
    )


def unscoped_drafts_changed_since(tx: Tx, at: int) -> list[DraftKey]:
    """The last drafts that were made or changed after ``at`` (µs) and are in their folder, 200 at the most."""
    return sql(tx).all(
        DraftKey,
        f"WHERE uid IS NOT NULL AND updated_at > ? AND {_SHOWN} "
        "AND (send_status IS NULL OR send_status = 'scheduled') ORDER BY updated_at DESC LIMIT 200",
        at,
    )


def unscoped_sent_drafts(tx: Tx) -> list[DraftKey]:
    """A hundred sent drafts whose copy may be in the folder yet."""
    return sql(tx).all(DraftKey, "WHERE send_status = 'sent' LIMIT 100")


def unscoped_emptied_drafts(tx: Tx, before: int, after: int) -> list[DraftId]:
    """A thousand drafts that were emptied by ``before`` or later than ``after`` (µs)."""
    query = (
        "SELECT id FROM draft WHERE send_status = 'gone' AND (updated_at <= ? OR updated_at > ?) LIMIT 1000"
    )
    return [row["id"] for row in sql(tx).rows(query, before, after)]


def unscoped_drafts_like(
    tx: Tx, organizations: Sequence[OrganizationId], patterns: Sequence[str]
) -> list[Draft]:
    """The drafts of these organizations whose content is like one of the patterns (lower case, ``!`` escapes)."""
    marks = ", ".join("?" * len(organizations))
    likes = " OR ".join(["lower(content_json) LIKE ? ESCAPE '!'"] * len(patterns))
    return sql(tx).all(Draft, f"WHERE organization_id IN ({marks}) AND ({likes})", *organizations, *patterns)


# --- changes ---


def add_draft(tx: Tx, draft: Draft) -> None:
    """Note a new draft."""
    sql(tx).add(draft)


def add_draft_file(tx: Tx, draft_id: DraftId, file_id: str, content: bytes) -> None:
    """Keep the octets of a file of a draft."""
    large = len(content) > LARGE
    sql(tx).insert("draft_file", {"id": file_id, "draft_id": draft_id, "content": b"" if large else content})
    if large:
        sql(tx).keep_octets("draft_file", "content", file_id, content)


def change_draft(tx: Tx, draft_id: DraftId, **changes: Unpack[DraftChanges]) -> None:
    """Change columns of a draft."""
    sql(tx).update("draft", "id", draft_id, dict(changes))


def revise_draft(tx: Tx, draft: Draft, revised: Draft) -> bool:
    """Write what an edit changed, unless the draft was changed, sent or removed since it was read.

    Args:
        draft: as it was read.
        revised: the same with what the edit changed.

    Returns:
        Whether it was written; the octets of its files are gone then (see ``add_draft_file``).
    """
    done = sql(tx).run(
        "UPDATE draft SET content_json = ?, attachments_json = ?, labels_json = ?, send_at = ?, "  # noqa: S608
        "send_status = ?, test = ?, uid = ?, uidvalidity = ?, updated_at = ? WHERE id = ? AND updated_at = ? "
        f"AND {_SHOWN} AND (send_status IS NULL OR send_status <> 'sending')",
        revised.content_json,
        revised.attachments_json,
        revised.labels_json,
        revised.send_at,
        revised.send_status,
        int(revised.test),
        revised.uid,
        revised.uidvalidity,
        revised.updated_at,
        draft.id,
        draft.updated_at,
    )
    if done:
        _remove_files(tx, draft.id)
    return done > 0


def begin_sending_draft(tx: Tx, draft_id: DraftId) -> None:
    """Show that a scheduled draft is being sent."""
    sql(tx).run(
        "UPDATE draft SET send_status = 'sending' WHERE id = ? AND send_status = 'scheduled'", draft_id
    )


def note_draft_sent(tx: Tx, draft: Draft, at: int) -> bool:
    """Note that a draft was sent at ``at`` (µs); False when it was changed, sent or removed since it was read."""
    done = sql(tx).run(
        f"UPDATE draft SET send_status = 'sent', updated_at = ? WHERE id = ? AND updated_at = ? AND {_SHOWN}",  # noqa: S608
        at,
        draft.id,
        draft.updated_at,
    )
    if done:
        _remove_files(tx, draft.id)
    return done > 0


def note_draft_failure(tx: Tx, draft_id: DraftId, content: DraftContent, labels: list[str], at: int) -> None:
    """Note what a draft that was being sent says and bears now that it could not be."""
    sql(tx).run(
        "UPDATE draft SET send_status = 'failed', content_json = ?, labels_json = ?, updated_at = ? "
        "WHERE id = ? AND send_status = 'sending'",
        content.json,
        dump(labels),
        at,
        draft_id,
    )


def empty_draft(tx: Tx, draft_id: DraftId, at: int) -> None:
    """Empty a draft whose copies were taken out of its folder, and hide it."""
    _remove_files(tx, draft_id)
    sql(tx).run(
        "UPDATE draft SET send_status = 'gone', client_id = NULL, content_json = ?, attachments_json = '[]', "
        "labels_json = '[]', send_at = NULL, updated_at = ? WHERE id = ?",
        EMPTY.json,
        at,
        draft_id,
    )


def remove_draft(tx: Tx, draft_id: DraftId) -> None:
    """Delete a draft with its files."""
    _remove_files(tx, draft_id)
    sql(tx).run("DELETE FROM draft WHERE id = ?", draft_id)


def _remove_files(tx: Tx, draft_id: DraftId) -> None:
    sql(tx).run("DELETE FROM draft_file WHERE draft_id = ?", draft_id)
