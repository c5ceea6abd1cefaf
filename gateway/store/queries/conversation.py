"""What mail came before a message that is to be sent, as far as its policy asks what is risky."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.mime.addresses import normalise
from gateway.records.ids import MessageId, ThreadId
from gateway.records.inboxes import Inbox
from gateway.records.mail import MessageItem
from gateway.records.trust import trust_of
from gateway.store.contact_keys import address_key, fold_address
from gateway.store.queries.contacts import known_among
from gateway.store.queries.messages import newest_message_id
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_LOOKED_AT = 200  # messages of a thread
# what is held, or was rejected, never left: an agent must not make people known by writing to them
_LEFT = (
    "test = 0 AND NOT (direction = 'outbound' AND (status = 'rejected' OR EXISTS "
    "(SELECT 1 FROM outbox WHERE outbox.id = message.id AND outbox.state = 'held')))"
)


@dataclass(frozen=True, slots=True)
class ConversationAsked:
    """Which mail came before. ``about``: the message that is answered or forwarded, else ``in_reply_to``: the digest
    of its Message-ID (``store.threads.ref_of``); ``thread``: the thread that the message goes on with. All None: there
    was none."""

    about: MessageId | None = None
    in_reply_to: str | None = None
    thread: ThreadId | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """The mail that is answered or forwarded. ``proven``: its sender is authenticated, or it is our own;
    ``people``: whom it names in From, To and Cc, in lower case."""

    proven: bool
    people: frozenset[str]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What came before, addresses in lower case.

    ``unknown``: recipients with whom the organization has exchanged no mail; ``own``: those that are its inboxes;
    ``thread``: who takes part in the thread, None where the message begins one; ``suspicious``: mail of it, or the mail
    that is answered or forwarded, is at least of risk medium (``gateway.mime.risk``).
    """

    unknown: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    source: Source | None = None
    thread: frozenset[str] | None = None
    suspicious: bool = False


def conversation(tx: Tx, inbox: Inbox, recipients: Sequence[str], asked: ConversationAsked) -> Conversation:
    """What came before a message to ``recipients``."""
    addresses = [normalise(one) for one in recipients]
    source = _answered(tx, inbox, asked)
    thread = [] if asked.thread is None else _messages_of_thread(tx, inbox, asked.thread)
    return Conversation(
        unknown=_unknown(tx, inbox, addresses),
        own=_own(tx, inbox, addresses),
        source=None if source is None else Source(_proven(source), _named(source)),
        thread=None if asked.thread is None else _people(thread),
        suspicious=any(_suspicious(one) for one in (*thread, *([source] if source else ()))),
    )


def _unknown(tx: Tx, inbox: Inbox, addresses: Sequence[str]) -> frozenset[str]:
    keys: dict[str, str] = {}
    for one in addresses:
        folded = fold_address(one)
        if folded is not None:
            keys[one] = address_key(folded.address)
    known = known_among(tx, inbox.organization_id, list(keys.values()))
    return frozenset(one for one in addresses if keys.get(one) not in known)


def _own(tx: Tx, inbox: Inbox, addresses: Sequence[str]) -> frozenset[str]:
    if not addresses:
        return frozenset()
    marks = ", ".join("?" * len(addresses))
    rows = sql(tx).rows(
        f"SELECT address FROM inbox WHERE organization_id = ? AND address IN ({marks})",  # noqa: S608
        inbox.organization_id,
        *addresses,
    )
    return frozenset(row["address"] for row in rows)


def _answered(tx: Tx, inbox: Inbox, asked: ConversationAsked) -> MessageItem | None:
    about = asked.about
    if about is None and asked.in_reply_to:
        about = newest_message_id(tx, inbox.id, asked.in_reply_to)
    message = None if about is None else sql(tx).one(MessageItem, "WHERE id = ?", about)
    return None if message is None or message.inbox_id != inbox.id else message


def _messages_of_thread(tx: Tx, inbox: Inbox, thread: ThreadId) -> list[MessageItem]:
    return sql(tx).all(
        MessageItem,
        f"WHERE thread_id = ? AND inbox_id = ? AND {_LEFT} ORDER BY timestamp DESC, seq DESC LIMIT ?",
        thread,
        inbox.id,
        _LOOKED_AT,
    )


def _people(thread: Sequence[MessageItem]) -> frozenset[str]:
    """Whoever wrote in it, and whom its proven messages name."""
    people: set[str] = set()
    for message in thread:
        people |= _named(message) if _proven(message) else _writer(message)
    return frozenset(people)


def _proven(message: MessageItem) -> bool:
    trust = trust_of(message)
    return trust is None or trust.proof.verdict == "authenticated"


def _suspicious(message: MessageItem) -> bool:
    return message.direction == "inbound" and message.traits.risk.level in ("medium", "high")


def _writer(message: MessageItem) -> set[str]:
    return {normalise(message.sender.email)} if message.sender else set()


def _named(message: MessageItem) -> frozenset[str]:
    named = [*message.to, *message.cc, *(message.bcc if message.direction == "outbound" else ())]
    return frozenset({normalise(one.email) for one in named} | _writer(message))
