"""Statements that find and delete what names a person, and every row of an organization.

Patterns are for LIKE: lower case, ``!`` escapes. They find more than the person (a longer address, for one); whoever
asks reads the text that is returned with each row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from gateway.mime.types import Address
from gateway.records.ids import EventId, InboxId, MessageId, OrganizationId, PolicyId, ReviewId
from gateway.records.mail import addresses
from gateway.store.sql import sql
from gateway.store.table_catalog import tables_with_column
from gateway.store.transaction import Tx

_PEOPLE = ("reply_to_json", "to_json", "cc_json", "bcc_json")
_MANY = 2000
_SOME = 500


@dataclass(frozen=True, slots=True)
class Correspondence:
    """A message with the people in its From, Reply-To, To, Cc and Bcc."""

    id: MessageId
    inbox_id: InboxId
    people: list[Address]


@dataclass(frozen=True, slots=True)
class MessageOfInbox:
    """Which message, and of which inbox."""

    id: MessageId
    inbox_id: InboxId


@dataclass(frozen=True, slots=True)
class Mention:
    """A message with everything that can be read in it, and the text of one of its attachments."""

    id: MessageId
    inbox_id: InboxId
    text: str
    attached: str | None


# --- what names a person ---


def unscoped_correspondence_like(
    tx: Tx, organizations: Sequence[OrganizationId], patterns: Sequence[str]
) -> list[Correspondence]:
    """The messages of these organizations that have an address like one of the patterns."""
    columns = " || ' ' || ".join(f"coalesce({name}, '')" for name in ("from_json", *_PEOPLE))
    rows = sql(tx).rows(
        f"SELECT id, inbox_id, from_json, {', '.join(_PEOPLE)} FROM message "  # noqa: S608
        f"WHERE organization_id IN ({_marks(organizations)}) AND ({_any_like(f'lower({columns})', patterns)})",
        *organizations,
        *patterns,
    )
    found = []
    for row in rows:
        people = [msgspec.json.decode(row["from_json"], type=Address)] if row["from_json"] else []
        for name in _PEOPLE:
            people += addresses(row[name])
        found.append(Correspondence(row["id"], row["inbox_id"], people))
    return found


def unscoped_messages_sent_to(
    tx: Tx, organizations: Sequence[OrganizationId], recipients: Sequence[str]
) -> list[MessageOfInbox]:
    """The messages of these organizations whose envelope names one of these addresses (lower case)."""
    either = " OR ".join(["lower(outbox_recipient.address) = ?"] * len(recipients))
    rows = sql(tx).rows(
        "SELECT DISTINCT outbox.id, outbox.inbox_id FROM outbox_recipient "  # noqa: S608
        "JOIN outbox ON outbox.id = outbox_recipient.outbox_id "
        f"WHERE outbox.organization_id IN ({_marks(organizations)}) AND ({either})",
        *organizations,
        *recipients,
    )
    return [MessageOfInbox(**row) for row in rows]


def unscoped_mentions_like(
    tx: Tx, organizations: Sequence[OrganizationId], patterns: Sequence[str]
) -> list[Mention]:
    """The messages of these organizations in which something, or an attachment, is like one of the patterns."""
    text = " || ' ' || ".join(
        f"coalesce({name}, '')"
        for name in (
            "message.from_json", "message.reply_to_json", "message.to_json", "message.cc_json", "message.bcc_json",
            "message.subject", "message.preview", "message.headers_json", "message.attachments_json",
            "message.traits_json",
            "message_body.text", "message_body.html", "message_body.extracted_text", "message_body.extracted_html",
        )
    )  # fmt: skip
    attached = _any_like("lower(attachment_text.text)", patterns)
    rows = sql(tx).rows(
        f"SELECT message.id, message.inbox_id, {text} AS text, (SELECT max(attachment_text.text) "  # noqa: S608
        "FROM attachment_text WHERE attachment_text.message_id = message.id "
        f"AND ({attached})) AS attached FROM message "
        "LEFT JOIN message_body ON message_body.message_id = message.id "
        f"WHERE message.organization_id IN ({_marks(organizations)}) "
        f"AND (({_any_like(f'lower({text})', patterns)}) OR EXISTS ("
        "SELECT 1 FROM attachment_text WHERE attachment_text.message_id = message.id "
        f"AND ({attached})))",
        *patterns,
        *organizations,
        *patterns,
        *patterns,
    )
    return [Mention(**row) for row in rows]


def unscoped_events_like(
    tx: Tx, organizations: Sequence[OrganizationId], patterns: Sequence[str]
) -> dict[EventId, str]:
    """The facts (JSON) of these organizations' events that are like one of the patterns, by event id."""
    rows = sql(tx).rows(
        f"SELECT id, payload_json FROM event WHERE organization_id IN ({_marks(organizations)}) "  # noqa: S608
        f"AND ({_any_like('lower(payload_json)', patterns)})",
        *organizations,
        *patterns,
    )
    return {row["id"]: row["payload_json"] for row in rows}


def events_of_messages(tx: Tx, message_ids: Sequence[MessageId]) -> set[EventId]:
    """The ids of the events about messages."""
    events: set[EventId] = set()
    for some in _groups(message_ids, _MANY):
        rows = sql(tx).rows(f"SELECT id FROM event WHERE message_id IN ({_marks(some)})", *some)  # noqa: S608
        events.update(row["id"] for row in rows)
    return events


def unscoped_kept_answers_like(tx: Tx, patterns: Sequence[str]) -> dict[int, str]:
    """What the answers that are kept for repeated requests say, by row. Of any organization: the realm of an answer
    may be a key that is gone."""
    return _texts_like(tx, "idempotency", "coalesce(body, '') || ' ' || key", patterns, only="state = 'done'")


def unscoped_webhook_answers_like(tx: Tx, patterns: Sequence[str]) -> dict[int, str]:
    """What endpoints answered to webhook posts, by attempt."""
    return _texts_like(tx, "attempt", "coalesce(response, '') || ' ' || coalesce(error, '')", patterns)


def unscoped_delivery_answers_like(tx: Tx, patterns: Sequence[str]) -> dict[int, str]:
    """What mail servers answered to sends, by recipient row."""
    return _texts_like(tx, "outbox_recipient", "coalesce(diagnostic, '')", patterns)


def unscoped_kept_replies_like(tx: Tx, patterns: Sequence[str]) -> dict[int, str]:
    """What was said of recipients, attempt by attempt, by row."""
    return _texts_like(tx, "outbox_reply", "coalesce(said, '')", patterns)


# --- deleting it ---


def messages_being_sent(tx: Tx, message_ids: Sequence[MessageId]) -> list[MessageId]:
    """Which messages are being handed over to another server at this moment."""
    busy: list[MessageId] = []
    for some in _groups(message_ids, _SOME):
        rows = sql(tx).rows(
            f"SELECT id FROM outbox WHERE id IN ({_marks(some)}) AND state <> 'done' "  # noqa: S608
            "AND claimed_until IS NOT NULL",
            *some,
        )
        busy += [row["id"] for row in rows]
    return busy


def remove_from_outbox(tx: Tx, message_ids: Sequence[MessageId]) -> None:
    """Delete messages from the outbox, with recipients, replies, reviews and the Message-IDs that relays gave them."""
    _delete(tx, "outbox_reply", "outbox_id", message_ids)
    _delete(tx, "outbox_recipient", "outbox_id", message_ids)
    _delete(tx, "sent_alias", "outbox_id", message_ids)
    _delete(tx, "review", "message_id", message_ids)
    _delete(tx, "outbox", "id", message_ids)


def remove_attempts_of_events(tx: Tx, event_ids: Sequence[EventId]) -> int:
    """Delete what endpoints answered to the posts of events; returns how many."""
    return _delete(tx, "attempt", "event_id", event_ids)


def remove_deliveries_of_events(tx: Tx, event_ids: Sequence[EventId]) -> int:
    """Delete the deliveries of events to webhooks; returns how many."""
    return sum(
        sql(tx).run(
            f"DELETE FROM delivery WHERE event_seq IN (SELECT seq FROM event WHERE id IN ({_marks(some)}))",  # noqa: S608
            *some,
        )
        for some in _groups(event_ids, _SOME)
    )


def remove_events(tx: Tx, event_ids: Sequence[EventId]) -> int:
    """Delete events; returns how many."""
    return _delete(tx, "event", "id", event_ids)


def remove_label_changes(tx: Tx, message_ids: Sequence[MessageId]) -> int:
    """Delete the log of messages' labels and the flags that are still to be set on them; returns how many."""
    return _delete(tx, "label_change", "message_id", message_ids) + _delete(
        tx, "flags_owed", "message_id", message_ids
    )


def unscoped_remove_suppressions(tx: Tx, organizations: Sequence[OrganizationId], address: str) -> int:
    """Delete these organizations' suppressions of an address (lower case); returns how many."""
    return _delete_of_organizations(tx, "suppression", "address", organizations, address)


def unscoped_remove_list_entries(tx: Tx, organizations: Sequence[OrganizationId], address: str) -> int:
    """Delete these organizations' allow and block rules about an address (lower case); returns how many."""
    return _delete_of_organizations(tx, "list_entry", "entry", organizations, address)


def unscoped_policies_like(
    tx: Tx, organizations: Sequence[OrganizationId], patterns: Sequence[str]
) -> dict[PolicyId, str]:
    """The rules (JSON) in these organizations' policies, old versions too, that are like one of the patterns, by id."""
    rows = sql(tx).rows(
        f"SELECT id, rule_json FROM policy WHERE organization_id IN ({_marks(organizations)}) "  # noqa: S608
        f"AND ({_any_like('lower(rule_json)', patterns)})",
        *organizations,
        *patterns,
    )
    return {row["id"]: row["rule_json"] for row in rows}


def rewrite_policy(tx: Tx, policy_id: PolicyId, rule_json: str) -> None:
    """Set what a version of a policy says."""
    sql(tx).update("policy", "id", policy_id, {"rule_json": rule_json})


def unscoped_remove_registrations(tx: Tx, organizations: Sequence[OrganizationId], address: str) -> int:
    """Delete these organizations' registrations by an address (lower case); returns how many."""
    return _delete_of_organizations(tx, "registration", "owner", organizations, address)


def remove_kept_answer(tx: Tx, row: int) -> None:
    """Delete an answer that was kept for repeated requests."""
    sql(tx).run("DELETE FROM idempotency WHERE id = ?", row)


def blank_webhook_answer(tx: Tx, attempt: int) -> None:
    """Forget what an endpoint answered."""
    sql(tx).run("UPDATE attempt SET response = NULL, error = NULL WHERE id = ?", attempt)


def unscoped_review_words_like(
    tx: Tx, organizations: Sequence[OrganizationId], patterns: Sequence[str]
) -> dict[ReviewId, str]:
    """Who decided reviews of these organizations, in which words, and what was edited, where that is like a pattern."""
    said = "coalesce(decided_by, '') || ' ' || coalesce(reason, '') || ' ' || edits_json"
    rows = sql(tx).rows(
        f"SELECT id, {said} AS said FROM review WHERE organization_id IN ({_marks(organizations)}) "  # noqa: S608
        f"AND ({_any_like(f'lower({said})', patterns)})",
        *organizations,
        *patterns,
    )
    return {row["id"]: row["said"] for row in rows}


def blank_review_words(tx: Tx, review_id: ReviewId) -> None:
    """Forget who decided a review, in which words, and what was edited."""
    query = "UPDATE review SET decided_by = NULL, reason = NULL, edits_json = '[]' WHERE id = ?"
    sql(tx).run(query, review_id)


def blank_delivery_answer(tx: Tx, recipient: int) -> None:
    """Forget what a mail server answered."""
    sql(tx).run("UPDATE outbox_recipient SET diagnostic = NULL WHERE id = ?", recipient)


def blank_kept_reply(tx: Tx, reply: int) -> None:
    """Forget the words of a reply about a recipient."""
    sql(tx).run("UPDATE outbox_reply SET said = NULL WHERE id = ?", reply)


def remove_organization_rows(tx: Tx, organization: OrganizationId) -> dict[str, int]:
    """Delete an organization whose inboxes are gone, with every row of its own; returns how many by table."""
    of_event = "(SELECT id FROM event WHERE organization_id = ?)"
    of_webhook = "(SELECT id FROM webhook WHERE organization_id = ?)"
    of_domain = "(SELECT name FROM domain WHERE organization_id = ?)"
    of_pod = "(SELECT id FROM pod WHERE organization_id = ?)"
    of_key = "(SELECT id FROM api_key WHERE organization_id = ?)"
    counts: dict[str, int] = {}
    for table, where in (
        ("attempt", f"event_id IN {of_event}"),
        ("attempt", f"webhook_id IN {of_webhook}"),
        ("delivery", f"webhook_id IN {of_webhook}"),
        ("dkim_key", f"domain IN {of_domain}"),
        ("reputation", f"subject IN {of_pod}"),
        ("idempotency", f"realm IN {of_key}"),
        ("idempotency", "realm = ?"),
        ("tally", "subject = ?"),
        *((f'"{table}"', "organization_id = ?") for table in tables_with_column(tx, "organization_id")),
        ("organization", "id = ?"),
    ):
        name = table.strip('"')
        deleted = sql(tx).run(f"DELETE FROM {table} WHERE {where}", organization)  # noqa: S608
        counts[name] = counts.get(name, 0) + deleted
    return {name: count for name, count in counts.items() if count}


def _texts_like(
    tx: Tx, table: str, text: str, patterns: Sequence[str], *, only: str = "1 = 1"
) -> dict[int, str]:
    rows = sql(tx).rows(
        f"SELECT id, {text} AS said FROM {table} "  # noqa: S608
        f"WHERE {only} AND ({_any_like(f'lower({text})', patterns)})",
        *patterns,
    )
    return {row["id"]: row["said"] for row in rows}


def _delete_of_organizations(
    tx: Tx, table: str, column: str, organizations: Sequence[OrganizationId], value: str
) -> int:
    return sql(tx).run(
        f"DELETE FROM {table} WHERE lower({column}) = ? "  # noqa: S608
        f"AND organization_id IN ({_marks(organizations)})",
        value,
        *organizations,
    )


def _delete(tx: Tx, table: str, column: str, values: Sequence[str]) -> int:
    return sum(
        sql(tx).run(f'DELETE FROM "{table}" WHERE "{column}" IN ({_marks(some)})', *some)  # noqa: S608
        for some in _groups(values, _SOME)
    )


def _any_like(text: str, patterns: Sequence[str]) -> str:
    return " OR ".join([f"{text} LIKE ? ESCAPE '!'"] * len(patterns))


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def _groups(values: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), most):
        yield values[start : start + most]
