"""What the database knows beside the mail, as JSON for an export: schema ``VERSION``, ids as the API shows them.

No secret is in it: no key, no webhook's secret or headers, no password, no private key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from gateway.records.ids import (
    INBOX_ID,
    KEY_ID,
    MESSAGE_ID,
    ORGANIZATION_ID,
    POD_ID,
    THREAD_ID,
    DraftId,
    InboxId,
    OrganizationId,
    ThreadId,
)
from gateway.records.inboxes import Inbox
from gateway.records.lists import ListEntry
from gateway.records.policies import PolicyVersion
from gateway.records.webhooks import Webhook
from gateway.store.engine import Store
from gateway.store.json_columns import load
from gateway.store.queries.domains import domains_of
from gateway.store.queries.drafts import draft_file_contents, drafts_after
from gateway.store.queries.export import IndexedMessage, messages_after, threads_after
from gateway.store.queries.inboxes import unscoped_running_inboxes
from gateway.store.queries.list_entries import organization_list_entries
from gateway.store.queries.organizations import unscoped_organization
from gateway.store.queries.pods import pods_of
from gateway.store.queries.policies import organization_policies
from gateway.store.queries.webhooks import webhooks_of_organization
from gateway.store.suppressions import all_suppressions
from gateway.store.transaction import Tx

VERSION = 1
_PAGE = 500

Facts = dict[str, Any]


def chosen_inboxes(
    tx: Tx, addresses: Sequence[str], domains: Sequence[str], organization: str | None
) -> list[Inbox]:
    """The inboxes that are meant; all of them when nothing narrows it."""
    rows = unscoped_running_inboxes(tx)
    return [
        row
        for row in rows
        if ((not addresses and not domains) or row.address in addresses or row.domain in domains)
        and (organization is None or row.organization_id == organization)
    ]


def organization_facts(tx: Tx, organization: OrganizationId) -> Facts:
    """An organization with all that belongs to it but its inboxes' own."""
    held = unscoped_organization(tx, organization)
    return {
        "schema_version": VERSION,
        "organization_id": ORGANIZATION_ID.public(organization),
        "name": held.name if held else None,
        "owner_email": held.owner_email if held else None,
        "created_at": iso(held.created_at if held else None),
        "pods": [
            {
                "pod_id": one.public_id,
                "name": one.name,
                "client_id": one.client_id,
                "is_default": one.is_default,
            }
            for one in pods_of(tx, organization)
        ],
        "domains": [
            {"domain": one.name, "status": one.status, "created_at": iso(one.created_at)}
            for one in domains_of(tx, organization)
        ],
        "webhooks": [_webhook(one) for one in webhooks_of_organization(tx, organization)],
        "rules": [_rule(one) for one in organization_list_entries(tx, organization)],
        "policies": [_policy(one) for one in organization_policies(tx, organization)],
        "suppressions": [
            {
                "address": one.address,
                "type": one.type,
                "reason": one.reason,
                "created_at": iso(one.created_at),
            }
            for one in all_suppressions(tx, organization)
        ],
    }


def inbox_facts(row: Inbox) -> Facts:
    """An inbox."""
    return {
        "schema_version": VERSION,
        "inbox_id": row.public_id,
        "address": row.address,
        "display_name": row.display_name,
        "organization_id": ORGANIZATION_ID.public(row.organization_id),
        "pod_id": POD_ID.public(row.pod_id),
        "client_id": row.client_id,
        "external_id": row.external_id,
        "metadata": load(row.metadata_json),
        "status": row.status,
        "created_at": iso(row.created_at),
    }


def messages(store: Store, inbox: InboxId) -> Iterator[Facts]:
    """Every message of an inbox, oldest first, with what only the index knows. Blocks."""
    last = 0
    while some := store.read_now(partial(messages_after, inbox_id=inbox, seq=last, most=_PAGE)):
        yield from map(_message, some)
        last = some[-1].message.seq


def _message(indexed: IndexedMessage) -> Facts:
    message = indexed.message
    return {
        "message_id": message.public_id,
        "thread_id": THREAD_ID.public(message.thread_id),
        "direction": message.direction,
        "status": message.status,
        "rfc_message_id": message.rfc_message_id,
        "timestamp": iso(message.timestamp),
        "from": load(message.from_json),
        "to": load(message.to_json),
        "cc": load(message.cc_json),
        "bcc": load(message.bcc_json),
        "subject": message.subject,
        "labels": indexed.labels,
        "in_reply_to": message.in_reply_to,
        "references": message.references,
        "attachments": load(message.attachments_json),
        "size": message.size,
        "folders": [
            {"name": copy.folder, "uid": copy.uid, "flags": list(copy.flags)}
            for copy in reversed(indexed.copies)
        ],
    }


def threads(store: Store, inbox: InboxId) -> Iterator[Facts]:
    """Every thread of an inbox. Blocks."""
    last = ThreadId("")
    while some := store.read_now(partial(threads_after, inbox_id=inbox, thread_id=last, most=_PAGE)):
        for thread in some:
            yield {
                "thread_id": thread.public_id,
                "subject": thread.subject,
                "message_count": thread.message_count,
                "last_message_id": MESSAGE_ID.public(thread.last_message_id),
                "timestamp": iso(thread.timestamp),
            }
        last = some[-1].id


def drafts(store: Store, inbox: InboxId) -> Iterator[tuple[Facts, list[tuple[str, bytes]]]]:
    """Every draft of an inbox, with the octets of its attachments by their ids. Blocks."""
    last = DraftId("")
    while some := store.read_now(partial(drafts_after, inbox_id=inbox, draft_id=last, most=20)):
        for draft in some:
            files = store.read_now(partial(draft_file_contents, draft_id=draft.id))
            facts = {
                "draft_id": draft.public_id,
                "client_id": draft.client_id,
                "content": load(draft.content_json),
                "attachments": load(draft.attachments_json),
                "labels": draft.labels,
                "in_reply_to": MESSAGE_ID.public(draft.in_reply_to),
                "send_at": iso(draft.send_at),
                "send_status": draft.send_status,
                "created_at": iso(draft.created_at),
            }
            yield facts, list(files.items())
        last = some[-1].id


def _webhook(hook: Webhook) -> Facts:
    return {
        "webhook_id": hook.public_id,
        "url": hook.url,
        "dialect": hook.dialect,
        "name": hook.name,
        "event_types": hook.event_types,
        "inbox_ids": hook.inbox_ids,
        "enabled": hook.enabled,
        "client_id": hook.client_id,
        "created_at": iso(hook.created_at),
    }


def _policy(version: PolicyVersion) -> Facts:
    return {
        "pod_id": POD_ID.public(version.pod_id),
        "inbox_id": INBOX_ID.public(version.inbox_id),
        "version": version.version,
        "rule": msgspec.to_builtins(version.rule()),
        "key_id": KEY_ID.public(version.key_id),
        "created_at": iso(version.created_at),
    }


def _rule(entry: ListEntry) -> Facts:
    return {
        "direction": entry.direction,
        "list_type": entry.list_type,
        "entry": entry.entry,
        "entry_type": entry.entry_type,
        "reason": entry.reason,
        "inbox_id": INBOX_ID.public(entry.inbox_id),
        "pod_id": POD_ID.public(entry.pod_id),
        "created_at": iso(entry.created_at),
    }


def iso(micros: int | None) -> str | None:
    """ISO 8601 in UTC with microseconds."""
    if micros is None:
        return None
    return (
        datetime.fromtimestamp(micros / 1_000_000, UTC)
        .isoformat(timespec="microseconds")
        .replace("+00:00", "Z")
    )
