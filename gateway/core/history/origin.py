"""How a message began: received by our mail server, accepted by the API, or filed by a mail client."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.core.history.entry import Entry, Subject
from gateway.records.ids import KEY_ID, own_message_ulid
from gateway.records.mail import Message
from gateway.store.queries.outbox import accepted_entry, people_of
from gateway.store.transaction import Tx

_NAME = r"[^\s()\[\];]{1,255}"
_FROM = re.compile(rf"from ({_NAME})(?: \((?:({_NAME}) )?\[(?:IPv6:)?([0-9A-Fa-f.:]{{2,45}})\]\))?")
_BY = re.compile(rf"\bby ({_NAME})")
_WITH = re.compile(r"\bwith ([A-Za-z0-9]{1,20})\b")
_MAX_FIELD = 1000


@dataclass(frozen=True, slots=True)
class Hop:
    """What a Received field says (RFC 5321 §4.4): who handed it in, from where, to whom, how."""

    client: str | None
    client_ip: str | None
    server: str | None
    protocol: str | None


def origin(tx: Tx, subject: Subject) -> Iterator[Entry]:
    """One entry: how the message came to be here."""
    message = subject.mail.message
    if message.direction == "inbound":
        yield _received(message)
        return
    entry = accepted_entry(tx, subject.inbox.id, message.id)
    if entry is not None:
        asked = f", asked for by the API key {KEY_ID.public(entry.key_id)}" if entry.key_id else ""
        count = len(people_of(tx, message.id))
        words = f"accepted for {count} recipient{'' if count == 1 else 's'}{asked}"
        if message.test:
            words += "; a sandbox key sends nothing"
        at = min(entry.created_at, message.timestamp)  # all else that is known of it came later
        yield Entry(at=at, kind="accepted", text=words, key_id=entry.key_id, recipients=count)
    elif own_message_ulid(message.rfc_message_id or "") == message.id:
        yield Entry(at=message.timestamp, kind="accepted", text="accepted through the API")
    else:
        yield Entry(at=message.timestamp, kind="filed", text="filed in the Sent folder by a mail client")


def _received(message: Message) -> Entry:
    hop = first_hop(message.headers)
    verdict = message.auth
    words = "received"
    if hop is not None:
        whence = " at ".join(part for part in (hop.client, hop.client_ip) if part)
        words += f" by {hop.server}" if hop.server else ""
        words += f" from {whence}" if whence else ""
    words += f"; SPF {verdict.spf}, DKIM {verdict.dkim}, DMARC {verdict.dmarc}"
    return Entry(
        at=message.timestamp,
        kind="received",
        text=words,
        server=hop.server if hop else None,
        client=hop.client if hop else None,
        client_ip=hop.client_ip if hop else None,
        protocol=hop.protocol if hop else None,
        spf=verdict.spf,
        dkim=verdict.dkim,
        dmarc=verdict.dmarc,
    )


def first_hop(headers: Mapping[str, str]) -> Hop | None:
    """The hop at which our mail server took the message: the topmost Received field, or the one below it where the
    topmost is our own delivery by LMTP. Whatever stands further down was written by strangers."""
    fields = [value for name, value in headers.items() if name.lower() == "received"]
    lines = [_read(line) for line in fields[0].split("\n")[:2]] if fields else []
    if not lines:
        return None
    return lines[1] if len(lines) > 1 and (lines[0].protocol or "").upper().startswith("LMTP") else lines[0]


def _read(line: str) -> Hop:
    line = " ".join(line[:_MAX_FIELD].split()).partition(";")[0]
    client, server, protocol = _FROM.match(line), _BY.search(line), _WITH.search(line)
    return Hop(
        client=(client[2] or client[1]) if client else None,
        client_ip=client[3] if client else None,
        server=server[1] if server else None,
        protocol=protocol[1] if protocol else None,
    )
