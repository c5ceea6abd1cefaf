"""Allow and block lists: which entry decides about an address.

An entry is an address, a domain (exactly), or ``*.`` and a domain: that domain and every one below it.

The narrowest scope that says anything decides (inbox, then pod, then organization). Within a scope a block
beats an allow; where a scope has an allow list for the direction, what it does not name is blocked.

A scope may say how its allow list is meant, in a row of type ``mode`` beside the entries: ``allowlist`` (only
what it names comes through, even when it names nothing) or ``none`` (it only names friends). Where a mode
is set, an allow lets through no more than it names: a block in a wider scope still wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from gateway.records.inboxes import Inbox
from gateway.records.lists import ListRule
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from mailserver.addresses import fold_domain
from mailserver.base import MailServerError

Verdict = Literal["allow", "block", "none"]

_MOST_LABELS = 127
"""A domain has no more (RFC 1035 §2.3.4: 255 octets); a sender may write more dots than that."""


def verdict(tx: Tx, inbox: Inbox, directions: Sequence[str], email: str) -> Verdict:
    """What the lists of ``directions`` (send, receive, reply) say of ``email`` for this inbox."""
    return decide(entries(tx, inbox, directions), inbox, email)


def entries(tx: Tx, inbox: Inbox, directions: Sequence[str]) -> list[ListRule]:
    """The list entries that may concern this inbox; for ``decide``, when there are several addresses."""
    wanted = tuple(dict.fromkeys(directions))
    marks = ", ".join("?" * len(wanted))
    return sql(tx).all(
        ListRule,
        f"WHERE organization_id = ? AND direction IN ({marks})",
        inbox.organization_id,
        *wanted,
    )


def decide(rules: Sequence[ListRule], inbox: Inbox, email: str) -> Verdict:
    """What ``entries`` say of ``email``."""
    if not rules:
        return "none"
    names = names_of(email)
    scopes: list[list[ListRule]] = [
        [rule for rule in rules if rule.inbox_id == inbox.id],
        [rule for rule in rules if rule.inbox_id is None and rule.pod_id == inbox.pod_id],
        [rule for rule in rules if rule.inbox_id is None and rule.pod_id is None],
    ]
    allowed = False
    for scope in scopes:
        modes = {rule.direction: rule.entry for rule in scope if rule.list_type == "mode"}
        named = {rule.list_type for rule in scope if rule.entry in names}
        if "block" in named:
            return "block"
        if "allow" in named:
            if not modes:
                return "allow"
            allowed = True
        complete = any(rule.list_type == "allow" and rule.direction not in modes for rule in scope)
        if not allowed and (complete or "allowlist" in modes.values()):
            return "block"
    return "allow" if allowed else "none"


def names_of(email: str) -> set[str]:
    """The entries that mean an address: itself, its domain, and each domain above with ``*.`` before it."""
    local, _, domain = email.strip().lower().rpartition("@")
    if not domain.isascii():
        try:
            domain = fold_domain(domain)
        except MailServerError:
            pass
    labels = domain.split(".")[-_MOST_LABELS:]
    return {f"{local}@{domain}", domain, *("*." + ".".join(labels[at:]) for at in range(len(labels)))}
