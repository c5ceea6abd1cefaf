"""Deleting what was found of a person, and of a whole organization, in the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.store.engine import Tx
from gateway.transfer.erase_find import Person

_SOME = 500


def withdraw(tx: Tx, messages: Sequence[str]) -> list[str]:
    """Take messages that wait in the outbox out of it, unless they are being handed over at this moment; answers
    those that are."""
    busy: list[str] = []
    for some in _groups(messages):
        marks = ", ".join("?" * len(some))
        busy += [
            row["id"]
            for row in tx.rows(
                f"SELECT id FROM outbox WHERE id IN ({marks}) AND state <> 'done' "  # noqa: S608
                "AND claimed_until IS NOT NULL",
                *some,
            )
        ]
    free = sorted(set(messages) - set(busy))
    for some in _groups(free):
        _delete(tx, "outbox_recipient", "outbox_id", some)
        _delete(tx, "sent_alias", "outbox_id", some)
        _delete(tx, "outbox", "id", some)
    return busy


def erase_events(tx: Tx, events: Sequence[str], messages: Sequence[str]) -> dict[str, int]:
    """Events, what was sent of them to webhooks and what was answered; the label log of messages."""
    counts = {"events": 0, "webhook_deliveries": 0, "webhook_attempts": 0, "label_changes": 0}
    for some in _groups(events):
        marks = ", ".join("?" * len(some))
        counts["webhook_attempts"] += _delete(tx, "attempt", "event_id", some)
        counts["webhook_deliveries"] += tx.run(
            f"DELETE FROM delivery WHERE event_seq IN (SELECT seq FROM event WHERE id IN ({marks}))",  # noqa: S608
            *some,
        )
        counts["events"] += _delete(tx, "event", "id", some)
    for some in _groups(messages):
        counts["label_changes"] += _delete(tx, "label_change", "message_id", some)
        counts["label_changes"] += _delete(tx, "flags_owed", "message_id", some)
    return counts


def erase_lists(tx: Tx, person: Person, organizations: Sequence[str]) -> dict[str, int]:
    """Suppressions, rules, registrations and kept answers that name a person; what servers said of them is blanked."""
    counts = dict.fromkeys(
        ("suppressions", "rules", "registrations", "kept_answers", "webhook_answers", "delivery_answers"), 0
    )
    marks = ", ".join("?" * len(organizations))
    for form in person.forms:
        counts["suppressions"] += tx.run(
            f"DELETE FROM suppression WHERE lower(address) = ? AND organization_id IN ({marks})",  # noqa: S608
            form,
            *organizations,
        )
        counts["rules"] += tx.run(
            f"DELETE FROM list_entry WHERE lower(entry) = ? AND organization_id IN ({marks})",  # noqa: S608
            form,
            *organizations,
        )
        counts["registrations"] += tx.run(
            f"DELETE FROM registration WHERE lower(owner) = ? AND organization_id IN ({marks})",  # noqa: S608
            form,
            *organizations,
        )
    # of any organization, since the realm of a kept answer may be a key that is gone
    counts["kept_answers"] = _naming(
        tx,
        person,
        "DELETE FROM idempotency",
        "idempotency",
        "coalesce(body, '') || ' ' || key",
        "state = 'done'",
    )
    counts["webhook_answers"] = _naming(
        tx,
        person,
        "UPDATE attempt SET response = NULL, error = NULL",
        "attempt",
        "coalesce(response, '') || ' ' || coalesce(error, '')",
    )
    counts["delivery_answers"] = _naming(
        tx,
        person,
        "UPDATE outbox_recipient SET diagnostic = NULL",
        "outbox_recipient",
        "coalesce(diagnostic, '')",
    )
    return counts


def erase_organization(tx: Tx, organization: str) -> dict[str, int]:
    """Every row of an organization whose inboxes are gone. Answers how many of each table."""
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
    ):
        counts[table] = counts.get(table, 0) + tx.run(f"DELETE FROM {table} WHERE {where}", organization)  # noqa: S608
    for table in _tables_of_organizations(tx):
        counts[table] = counts.get(table, 0) + tx.run(
            f'DELETE FROM "{table}" WHERE organization_id = ?',  # noqa: S608
            organization,
        )
    counts["organization"] = tx.run("DELETE FROM organization WHERE id = ?", organization)
    return {name: count for name, count in counts.items() if count}


def _naming(tx: Tx, person: Person, change: str, table: str, text: str, only: str = "1 = 1") -> int:
    """Run ``change`` on the rows of a table whose text names the person; answers how many."""
    marks = " OR ".join([f"lower({text}) LIKE ? ESCAPE '!'"] * len(person.forms))
    rows = tx.rows(f"SELECT id, {text} AS said FROM {table} WHERE {only} AND ({marks})", *person.like)  # noqa: S608
    ids = [row["id"] for row in rows if person.named_in(row["said"])]
    for one in ids:
        tx.run(f"{change} WHERE id = ?", one)
    return len(ids)


def _tables_of_organizations(tx: Tx) -> list[str]:
    """Every table whose rows say whose they are, those that are yet to come too."""
    if tx.postgres:
        rows = tx.rows(
            "SELECT table_name AS name FROM information_schema.columns "
            "WHERE column_name = 'organization_id' AND table_schema = current_schema()"
        )
    else:
        rows = tx.rows(
            "SELECT sqlite_master.name FROM sqlite_master, pragma_table_info(sqlite_master.name) AS known "
            "WHERE sqlite_master.type = 'table' AND known.name = 'organization_id'"
        )
    return [row["name"] for row in rows]


def _delete(tx: Tx, table: str, column: str, values: Sequence[str]) -> int:
    marks = ", ".join("?" * len(values))
    return tx.run(f'DELETE FROM "{table}" WHERE "{column}" IN ({marks})', *values)  # noqa: S608


def _groups(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _SOME):
        yield values[start : start + _SOME]
