"""Every table is either watched by the audit log or known to be no management."""

from __future__ import annotations

from typing import Any

from gateway.store.audited_tables import AUDITED
from gateway.store.models import DERIVED, KEPT

NO_MANAGEMENT = {
    "audit_entry": "the log itself",
    "registration": "counted for an hour",
    "revoked_key": "the key's own row says it",
    "draft": "mail",
    "draft_file": "mail",
    "outbox": "mail",
    "outbox_recipient": "mail",
    "outbox_reply": "mail",
    "sent_alias": "mail",
    "wallet": "sends change it; what the operator adds is noted",
    "tally": "counters",
    "alias_target": "the targets of an alias are noted together",
    "reputation": "a row for an inbox or a pod: suspending is noted",
    "idempotency": "answers",
    "event": "the log of events",
    "delivery": "the log of events",
    "attempt": "the log of events",
    "label_change": "labels",
    "flags_owed": "labels",
    "thread_tombstone": "mail",
    "thread_root": "mail",
    "listing_time": "mail",
    "contact": "mail",
}


def name_of(model: Any) -> str:
    return str(model._meta.table_name)


def test_every_table_is_watched_or_known_not_to_be() -> None:
    from gateway.store.process_models import PASSING

    passing = {name_of(one) for one in PASSING}
    kept = {name_of(one) for one in KEPT} - passing
    assert kept == set(AUDITED) | set(NO_MANAGEMENT)
    assert not set(AUDITED) & set(NO_MANAGEMENT)
    assert not {name_of(one) for one in DERIVED} & set(AUDITED)


def test_no_secret_column_is_shown() -> None:
    from gateway.store.sealing import SEALED

    for table, columns in SEALED.items():
        assert not set(columns) & set(AUDITED[table].columns)
    assert "hash" not in AUDITED["api_key"].columns


def test_every_column_exists() -> None:
    models = {name_of(one): one for one in KEPT}
    for one in AUDITED.values():
        columns = {field.column_name for field in models[one.table]._meta.sorted_fields}
        assert set(one.key) | set(one.also) | one.watched <= columns, one.table
