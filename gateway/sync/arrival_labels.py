"""Labels decided when mail arrives: the receive lists, and what our mail server's checks said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.mime.types import ParsedMessage
from gateway.records.inboxes import Inbox
from gateway.store.allow_block_lists import verdict
from gateway.store.transaction import Tx


def arrival_labels(tx: Tx, inbox: Inbox, parsed: Sequence[ParsedMessage]) -> list[Iterable[str]]:
    """For each message, the labels its arrival earns: ``blocked`` (a receive list), ``unauthenticated``
    (DMARC failed, RFC 7489)."""
    labels: list[Iterable[str]] = []
    for one in parsed:
        mine = set()
        sender = one.sender.email if one.sender else ""
        direction = "reply" if one.in_reply_to or one.references else "receive"
        if verdict(tx, inbox, ("receive", direction), sender) == "block":
            mine.add("blocked")
        elif one.auth.dmarc == "fail":
            mine.add("unauthenticated")
        labels.append(mine)
    return labels
