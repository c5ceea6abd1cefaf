"""Whom an answer goes to when its writer does not say."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.mime.addresses import normalise
from gateway.mime.reply.reply import Recipients, reply_recipients
from gateway.records.inboxes import Inbox
from gateway.records.mail import Message
from gateway.store.allow_block_lists import decide, entries
from gateway.store.own_addresses import own_addresses
from gateway.store.suppressions import suppressed
from gateway.store.transaction import Tx


def answered_people(tx: Tx, inbox: Inbox, original: Message, *, reply_all: bool = False) -> Recipients:
    """Whom an answer to ``original`` goes to; nobody where it names nobody who can be written to.

    With ``reply_all``, whom a suppression or list is against is left out as long as others are in To: nobody asked for
    them by name, so the answer to the others does not fail for it.
    """
    people = reply_recipients(
        reply_to=original.reply_to,
        sender=original.sender,
        to=original.to,
        cc=original.cc,
        own=own_addresses(tx, inbox, [original]),
        outbound=original.direction == "outbound",
        reply_all=reply_all,
    )
    if not reply_all:
        return people
    welcome = welcome_among(tx, inbox, [one.email for one in (*people.to, *people.cc)])
    to = [one for one in people.to if welcome(one.email)]
    return Recipients(to or people.to, [one for one in people.cc if welcome(one.email)])


def welcome_among(tx: Tx, inbox: Inbox, addresses: Sequence[str]) -> Callable[[str], bool]:
    """Says of each of ``addresses`` whether neither a suppression nor a list is against writing to it."""
    gone = suppressed(tx, inbox.organization_id, [normalise(one) for one in addresses])
    rules = entries(tx, inbox, ("send", "reply"))
    return lambda one: normalise(one) not in gone and decide(rules, inbox, one) != "block"
