"""Where a person is, in the database: the mail they wrote or got, and every other row that names them.

A message is theirs when their address is in From, Reply-To, To, Cc, Bcc or the envelope. A message that only speaks
of them (in its text, quoted, in a header) is somebody else's: it is counted, and erased on demand.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import idna

from gateway.store.engine import Row, Tx
from gateway.store.json_columns import load
from gateway.store.queries.drafts import unscoped_drafts_like

_PEOPLE = ("reply_to_json", "to_json", "cc_json", "bcc_json")
_SCAN = 2000


@dataclass(frozen=True, slots=True)
class Person:
    """One address in every form it may be written in, folded."""

    address: str
    forms: tuple[str, ...]

    @property
    def like(self) -> tuple[str, ...]:
        """Patterns that find any form, and addresses it is a part of: ``named_in`` tells them apart."""
        return tuple(
            "%" + one.replace("!", "!!").replace("%", "!%").replace("_", "!_") + "%" for one in self.forms
        )

    @property
    def pattern(self) -> re.Pattern[str]:
        """The address in text, where it is not the end or the beginning of a longer one."""
        forms = "|".join(map(re.escape, self.forms))
        return re.compile(rf"(?<![a-z0-9._+-])(?:{forms})(?![a-z0-9-]|\.[a-z0-9])", re.IGNORECASE)

    def named_in(self, text: object) -> bool:
        """Whether a text names the person."""
        return text is not None and self.pattern.search(str(text)) is not None


@dataclass(slots=True)
class Found:
    """What is theirs: ids of messages by inbox, of mentions, of drafts by inbox, of events."""

    messages: dict[str, list[str]] = field(default_factory=dict)
    mentions: dict[str, list[str]] = field(default_factory=dict)
    drafts: dict[str, list[str]] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)


def person_of(address: str) -> Person:
    """The person at an address. Raises ValueError for what is no address."""
    local, at, domain = address.strip().lower().rpartition("@")
    if not at or not local or not domain or any(one in address for one in "<>,; \t\r\n\x00"):
        raise ValueError(f"{address!r} is no mail address")
    forms = dict.fromkeys([f"{local}@{domain}"])
    try:
        forms[f"{local}@{idna.encode(domain, uts46=True).decode('ascii')}"] = None
        forms[f"{local}@{idna.decode(domain)}"] = None
    except idna.IDNAError:
        pass
    return Person(next(iter(forms)), tuple(forms))


def find(tx: Tx, person: Person, organizations: Sequence[str]) -> Found:
    """Everything of a person in these organizations."""
    found = Found()
    marks = ", ".join("?" * len(organizations))
    theirs: set[str] = set()
    columns = " || ' ' || ".join(f"coalesce({name}, '')" for name in ("from_json", *_PEOPLE))
    rows = tx.rows(
        f"SELECT id, inbox_id, from_json, {', '.join(_PEOPLE)} FROM message "  # noqa: S608
        f"WHERE organization_id IN ({marks}) AND ({_any(f'lower({columns})', person)})",
        *organizations,
        *person.like,
    )
    for row in rows:
        if set(_emails(row)) & set(person.forms):
            theirs.add(row["id"])
            found.messages.setdefault(row["inbox_id"], []).append(row["id"])
    envelope = tx.rows(
        "SELECT DISTINCT outbox.id, outbox.inbox_id FROM outbox_recipient "  # noqa: S608
        "JOIN outbox ON outbox.id = outbox_recipient.outbox_id "
        f"WHERE outbox.organization_id IN ({marks}) AND ({_equal('lower(outbox_recipient.address)', person)})",
        *organizations,
        *person.forms,
    )
    for row in envelope:
        if row["id"] not in theirs:
            theirs.add(row["id"])
            found.messages.setdefault(row["inbox_id"], []).append(row["id"])
    for row in _mentions(tx, person, organizations):
        if row["id"] not in theirs and (person.named_in(row["text"]) or person.named_in(row["attached"])):
            found.mentions.setdefault(row["inbox_id"], []).append(row["id"])
    _others(tx, person, organizations, theirs, found)
    return found


def _mentions(tx: Tx, person: Person, organizations: Sequence[str]) -> list[Row]:
    marks = ", ".join("?" * len(organizations))
    text = " || ' ' || ".join(
        f"coalesce({name}, '')"
        for name in (
            "message.from_json", "message.reply_to_json", "message.to_json", "message.cc_json", "message.bcc_json",
            "message.subject", "message.preview", "message.headers_json", "message.attachments_json",
            "message_body.text", "message_body.html", "message_body.extracted_text", "message_body.extracted_html",
        )
    )  # fmt: skip
    return tx.rows(
        f"SELECT message.id, message.inbox_id, {text} AS text, (SELECT max(attachment_text.text) "  # noqa: S608
        "FROM attachment_text WHERE attachment_text.message_id = message.id "
        f"AND ({_any('lower(attachment_text.text)', person)})) AS attached FROM message "
        "LEFT JOIN message_body ON message_body.message_id = message.id "
        f"WHERE message.organization_id IN ({marks}) AND (({_any(f'lower({text})', person)}) OR EXISTS ("
        "SELECT 1 FROM attachment_text WHERE attachment_text.message_id = message.id "
        f"AND ({_any('lower(attachment_text.text)', person)})))",
        *person.like,
        *organizations,
        *person.like,
        *person.like,
    )


def _others(tx: Tx, person: Person, organizations: Sequence[str], theirs: set[str], found: Found) -> None:
    marks = ", ".join("?" * len(organizations))
    for draft in unscoped_drafts_like(tx, organizations, person.like):
        if person.named_in(draft.content_json):
            found.drafts.setdefault(draft.inbox_id, []).append(draft.id)
    named = tx.rows(
        f"SELECT id, payload_json FROM event WHERE organization_id IN ({marks}) "  # noqa: S608
        f"AND ({_any('lower(payload_json)', person)})",
        *organizations,
        *person.like,
    )
    events = {row["id"] for row in named if person.named_in(row["payload_json"])}
    ids = sorted(theirs)
    for start in range(0, len(ids), _SCAN):
        some = ids[start : start + _SCAN]
        events |= {
            row["id"]
            for row in tx.rows(
                f"SELECT id FROM event WHERE message_id IN ({', '.join('?' * len(some))})",  # noqa: S608
                *some,
            )
        }
    found.events = sorted(events)


def _emails(row: Row) -> list[str]:
    pairs = [load(row["from_json"])] if row["from_json"] else []
    for name in _PEOPLE:
        pairs += load(row[name]) or []
    return [str(email).lower() for _, email in pairs]


def _any(column: str, person: Person) -> str:
    return " OR ".join([f"{column} LIKE ? ESCAPE '!'"] * len(person.forms))


def _equal(column: str, person: Person) -> str:
    return " OR ".join([f"{column} = ?"] * len(person.forms))
