"""Allow and block lists: which entry decides about an address.

The narrowest scope that says anything decides (inbox, then pod, then organization). Within a scope a block
beats an allow; where a scope has an allow list for the direction, what it does not name is blocked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from gateway.store.engine import Row, Tx

Verdict = Literal["allow", "block", "none"]


def verdict(tx: Tx, inbox: Row, directions: Sequence[str], email: str) -> Verdict:
    """What the lists of ``directions`` (send, receive, reply) say of ``email`` for this inbox."""
    return decide(entries(tx, inbox, directions), inbox, email)


def entries(tx: Tx, inbox: Row, directions: Sequence[str]) -> list[Row]:
    """The list entries that may concern this inbox; for ``decide``, when there are several addresses."""
    wanted = tuple(dict.fromkeys(directions))
    marks = ", ".join("?" * len(wanted))
    return tx.rows(
        "SELECT pod_id, inbox_id, list_type, entry FROM list_entry "  # noqa: S608
        f"WHERE organization_id = ? AND direction IN ({marks})",
        inbox["organization_id"],
        *wanted,
    )


def decide(rows: Sequence[Row], inbox: Row, email: str) -> Verdict:
    """What ``entries`` say of ``email``."""
    if not rows:
        return "none"
    email = email.strip().lower()
    domain = email.rpartition("@")[2]
    scopes: list[list[Row]] = [
        [row for row in rows if row["inbox_id"] == inbox["id"]],
        [row for row in rows if row["inbox_id"] is None and row["pod_id"] == inbox["pod_id"]],
        [row for row in rows if row["inbox_id"] is None and row["pod_id"] is None],
    ]
    for scope in scopes:
        named = {row["list_type"] for row in scope if row["entry"] in (email, domain)}
        if "block" in named:
            return "block"
        if "allow" in named:
            return "allow"
        if any(row["list_type"] == "allow" for row in scope):
            return "block"
    return "none"
