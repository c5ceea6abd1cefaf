"""Statements about who wrote to an inbox, and about the contacts of an organization (``store.contacts``)."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.records.ids import InboxId, OrganizationId
from gateway.records.inboxes import Inbox
from gateway.store.contact_keys import Key
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_LOOKED_AT = 50
_ROWS = 100
_EACH = 100


def wrote_to(tx: Tx, inbox_id: InboxId, address: str) -> bool:
    """Whether mail from ``address`` came to this inbox (50 of its mails are looked at)."""
    query = (
        "SELECT 1 FROM (SELECT id FROM message WHERE inbox_id = ? AND from_email = ? AND direction = 'inbound' "
        "LIMIT ?) AS mail WHERE NOT EXISTS (SELECT 1 FROM label WHERE label.message_id = mail.id "
        "AND label.label IN ('unauthenticated', 'blocked')) LIMIT 1"
    )
    return sql(tx).value(query, inbox_id, address.lower(), _LOOKED_AT) is not None


def known_before(tx: Tx, organization_id: OrganizationId, keys: tuple[str, str], before: int) -> list[bool]:
    """Which of two keys an organization had before a time (µs)."""
    known = "EXISTS (SELECT 1 FROM contact WHERE organization_id = ? AND value = ? AND since < ?)"
    row = sql(tx).row(
        f"SELECT {known} AS one, {known} AS other",
        *(organization_id, keys[0], before),
        *(organization_id, keys[1], before),
    )
    return [False, False] if row is None else [bool(row["one"]), bool(row["other"])]


def contacts_by_keys(
    tx: Tx, organization_id: OrganizationId, inbox_id: InboxId, keys: Sequence[str], before: int
) -> list[tuple[Key, bool]]:
    """What keys find among the contacts that an organization had before a time (µs): the oldest 100 rows a key.

    With each, whether it is this inbox's own; these come first.
    """
    some = (
        "SELECT value, about, inbox_id FROM contact WHERE organization_id = ? AND value = ? AND since < ? "
        "ORDER BY since LIMIT ?"
    )
    values = [part for key in keys for part in (organization_id, key, before, _EACH)]
    rows = sql(tx).rows(" UNION ALL ".join([f"SELECT * FROM ({some}) AS near"] * len(keys)), *values)  # noqa: S608
    found = dict.fromkeys((Key(row["value"], row["about"]), row["inbox_id"] == inbox_id) for row in rows)
    return sorted(found, key=lambda one: not one[1])


def known_among(tx: Tx, organization_id: OrganizationId, keys: Sequence[str]) -> set[str]:
    """Which of these keys (a message's recipients, a thousand at most) an organization has."""
    if not keys:
        return set()
    marks = ", ".join("?" * len(keys))
    rows = sql(tx).rows(
        f"SELECT DISTINCT value FROM contact WHERE organization_id = ? AND value IN ({marks})",  # noqa: S608
        organization_id,
        *keys,
    )
    return {row["value"] for row in rows}


def put_contacts(tx: Tx, inbox: Inbox, keys: Sequence[Key], since: int) -> None:
    """Note keys of an inbox's contacts; what it has already keeps its time."""
    for start in range(0, len(keys), _ROWS):
        some = keys[start : start + _ROWS]
        values: list[object] = []
        for key in some:
            values += (inbox.organization_id, inbox.id, key.value, key.about, since)
        sql(tx).run(
            "INSERT INTO contact (organization_id, inbox_id, value, about, since) VALUES "  # noqa: S608
            f"{', '.join(['(?, ?, ?, ?, ?)'] * len(some))} ON CONFLICT DO NOTHING",
            *values,
        )


def unscoped_remove_contacts(tx: Tx, organizations: Sequence[OrganizationId], address: str) -> int:
    """Delete an address (lower case) from these organizations' contacts; returns how many rows."""
    marks = ", ".join("?" * len(organizations))
    return sql(tx).run(
        f"DELETE FROM contact WHERE about = ? AND organization_id IN ({marks})",  # noqa: S608
        address,
        *organizations,
    )
