"""Which of the addresses that mail names are those of an inbox."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.records.inboxes import Inbox
from gateway.records.mail import MessageItem
from gateway.store.queries.aliases import own_among
from gateway.store.transaction import Tx


def own_addresses(tx: Tx, inbox: Inbox, messages: Iterable[MessageItem]) -> frozenset[str]:
    """The addresses of ``inbox`` in the address fields of ``messages``: its own, its aliases', what its catch-all
    takes, with any tag; each as it is written there."""
    named = {
        one.email
        for message in messages
        for people in (message.reply_to, message.to, message.cc, [message.sender] if message.sender else [])
        for one in people
    }
    return own_among(tx, inbox, named)
