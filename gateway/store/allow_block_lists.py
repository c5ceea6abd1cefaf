"""Allow and block lists: which entry decides about an address.

The narrowest scope that says anything decides (inbox, then pod, then organization). Within a scope a block
beats an allow; where a scope has an allow list for the direction, what it does not name is blocked.

A scope may say how its allow list is meant, in a row of type ``mode`` beside the entries: ``allowlist`` (only
what it names comes through, even when it names nothing) or ``none`` (it only names friends). Where a mode
stands, an allow lets through no more than it names: a block in a wider scope still wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from gateway.records.inboxes import Inbox
from gateway.store.engine import Row, Tx
from mailserver.addresses import fold_domain
from mailserver.base import MailServerError

Verdict = Literal["allow", "block", "none"]
Mode = Literal["none", "allowlist"]
MODE = "mode"
"""The ``list_type`` of a row that is no entry but a scope's mode (a :data:`Mode` in ``entry``)."""


def verdict(tx: Tx, inbox: Inbox, directions: Sequence[str], email: str) -> Verdict:
    """What the lists of ``directions`` (send, receive, reply) say of ``email`` for this inbox."""
    return decide(entries(tx, inbox, directions), inbox, email)


def entries(tx: Tx, inbox: Inbox, directions: Sequence[str]) -> list[Row]:
    """The list entries that may concern this inbox; for ``decide``, when there are several addresses."""
    wanted = tuple(dict.fromkeys(directions))
    marks = ", ".join("?" * len(wanted))
    return tx.rows(
        "SELECT pod_id, inbox_id, direction, list_type, entry FROM list_entry "  # noqa: S608
        f"WHERE organization_id = ? AND direction IN ({marks})",
        inbox.organization_id,
        *wanted,
    )


def decide(rows: Sequence[Row], inbox: Inbox, email: str) -> Verdict:
    """What ``entries`` say of ``email``."""
    if not rows:
        return "none"
    local, _, domain = email.strip().lower().rpartition("@")
    if not domain.isascii():
        try:
            domain = fold_domain(domain)
        except MailServerError:
            pass
    email = f"{local}@{domain}"
    scopes: list[list[Row]] = [
        [row for row in rows if row["inbox_id"] == inbox.id],
        [row for row in rows if row["inbox_id"] is None and row["pod_id"] == inbox.pod_id],
        [row for row in rows if row["inbox_id"] is None and row["pod_id"] is None],
    ]
    allowed = False
    for scope in scopes:
        modes = {row["direction"]: row["entry"] for row in scope if row["list_type"] == MODE}
        named = {row["list_type"] for row in scope if row["entry"] in (email, domain)}
        if "block" in named:
            return "block"
        if "allow" in named:
            if not modes:
                return "allow"
            allowed = True
        complete = any(row["list_type"] == "allow" and row["direction"] not in modes for row in scope)
        if not allowed and (complete or "allowlist" in modes.values()):
            return "block"
    return "allow" if allowed else "none"
