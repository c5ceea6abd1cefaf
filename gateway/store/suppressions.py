"""Addresses that an organization must not write to any more, and which news puts one there.

One row an organization and address. The graver type is kept: a complaint over an unsubscribe over a bounce, so that
a bounce which is sorted out never hides that somebody wanted no more mail.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import msgspec

from gateway.mime.addresses import normalise
from gateway.records.ids import MessageId, OrganizationId, now_us
from gateway.records.suppressions import Suppression, SuppressionType
from gateway.store.listing import Listing, Window, page
from gateway.store.scope import Scope
from gateway.store.sql import sql
from gateway.store.transaction import Tx

TYPES: tuple[SuppressionType, ...] = get_args(SuppressionType)  # the graver the later

HARD_BOUNCES = frozenset(["1.0", "1.1", "1.3", "1.6", "1.10", "2.1"])
"""Enhanced codes (RFC 3463, without the class 5) that say: nobody takes mail at this address. Not among them: a
domain that was not found (1.2: one bad resolver would suppress everybody), full mailboxes and sizes (2.2, 2.3),
systems and routes (3, 4), protocol (5), content (6), policy (7), a bare 5.0.0."""

_NO_COMPLAINTS = frozenset(["not-spam", "auth-failure", "virus"])


def is_hard_bounce(status: str) -> bool:
    """Whether a delivery status such as ``5.1.1`` is a permanent failure of the recipient's address."""
    kind, _, detail = status.partition(".")
    return kind == "5" and detail in HARD_BOUNCES


def is_permanent(status: str) -> bool:
    """Whether a failure with this status (RFC 3463) says that mail to the address will go on failing.

    Not one of class 4; not a full mailbox or a size (2.2, 2.3), a system, route or protocol in trouble (3, 4, 5), what
    a message says (6) or who sends it (7): another message may meet none of these.
    """
    kind, _, detail = status.partition(".")
    return (
        kind != "4"
        and detail not in ("2.2", "2.3")
        and detail.partition(".")[0] not in ("3", "4", "5", "6", "7")
    )


def type_of_feedback(kind: str) -> SuppressionType | None:
    """What a feedback report (RFC 5965) of this type puts its recipient under; None for one that is no complaint."""
    if kind in _NO_COMPLAINTS:
        return None
    return "unsub" if kind == "opt-out" else "complaint"


def suppress(
    tx: Tx,
    organization: OrganizationId,
    address: str,
    type: SuppressionType,
    *,
    reason: str | None,
    message_id: MessageId | None = None,
) -> tuple[Suppression, bool]:
    """Put an address on the list; answers its entry and whether it is new. A graver type replaces the other."""
    address = normalise(address)
    new = sql(tx).insert(
        "suppression",
        {
            "organization_id": organization,
            "address": address,
            "type": type,
            "reason": reason,
            "message_id": message_id,
            "created_at": now_us(),
        },
        ignore=True,
    )
    entry = find(tx, organization, address)
    assert entry is not None
    if TYPES.index(type) > TYPES.index(entry.type):
        entry = msgspec.structs.replace(
            entry, type=type, reason=reason, message_id=message_id, created_at=now_us()
        )
        changes = {name: getattr(entry, name) for name in ("type", "reason", "message_id", "created_at")}
        sql(tx).update("suppression", "id", entry.id, changes)
    return entry, bool(new)


def find(tx: Tx, organization: OrganizationId, address: str) -> Suppression | None:
    """The entry of an address."""
    return sql(tx).one(
        Suppression, "WHERE organization_id = ? AND address = ?", organization, normalise(address)
    )


def suppressed(tx: Tx, organization: OrganizationId, addresses: Sequence[str]) -> dict[str, SuppressionType]:
    """Those of ``addresses`` (as ``normalise`` gives them) that are suppressed, with the type."""
    if not addresses:
        return {}
    marks = ", ".join("?" * len(addresses))
    return {
        row["address"]: row["type"]
        for row in sql(tx).rows(
            f"SELECT address, type FROM suppression WHERE organization_id = ? AND address IN ({marks})",  # noqa: S608
            organization,
            *addresses,
        )
    }


def list_suppressions(
    tx: Tx, scope: Scope, window: Window, type: SuppressionType | None
) -> Listing[Suppression]:
    """The organization's entries, newest first; ``type``: only these."""
    where, args = "organization_id = ?", list[object]([scope.organization])
    if type is not None:
        where, args = f"{where} AND type = ?", [*args, type]
    return page(tx, Suppression, where, args, window)


def all_suppressions(tx: Tx, organization: OrganizationId) -> list[Suppression]:
    """Every entry of an organization, oldest first."""
    return sql(tx).all(Suppression, "WHERE organization_id = ? ORDER BY created_at", organization)


def remove(tx: Tx, organization: OrganizationId, address: str) -> bool:
    """Take an address (as ``normalise`` gives it) off the list; False when it is not on it."""
    query = "DELETE FROM suppression WHERE organization_id = ? AND address = ?"
    return sql(tx).run(query, organization, address) > 0


def unscoped_lift_bounce(tx: Tx, address: str) -> None:
    """A mailbox was made at this address: that it did not exist holds no more, for no organization."""
    sql(tx).run("DELETE FROM suppression WHERE address = ? AND type = 'bounce'", address)
