"""``inbox.created`` and ``inbox.deleted``: appended in the transaction that makes an inbox usable, and the one that
takes its last row.

With an inbox everything of it is deleted, events that its webhooks have not got yet included. The one event after that,
``inbox.deleted``, is the organization's, in no inbox's order of delivery, and holds who the inbox was and nothing of
its mail.
"""

from __future__ import annotations

from gateway.events.log import EventLog
from gateway.records.event_types import InboxFacts, InboxSnapshot
from gateway.records.ids import now_us
from gateway.records.inboxes import Inbox
from gateway.store.transaction import Tx


def append_created(tx: Tx, events: EventLog, inbox: Inbox) -> None:
    """The inbox takes mail from now on."""
    events.append(
        tx,
        "inbox.created",
        organization_id=inbox.organization_id,
        pod_id=inbox.pod_id,
        inbox_id=inbox.id,
        subject=inbox.id,
        payload=_facts(inbox),
        at=inbox.created_at,
    )


def append_deleted(tx: Tx, events: EventLog, inbox: Inbox) -> None:
    """Nothing is left of the inbox but this."""
    events.append(
        tx,
        "inbox.deleted",
        organization_id=inbox.organization_id,
        pod_id=inbox.pod_id,
        subject=inbox.id,
        payload=_facts(inbox),
        at=now_us(),
    )


def _facts(inbox: Inbox) -> InboxFacts:
    return InboxFacts(
        inbox=InboxSnapshot(
            id=inbox.id,
            number=inbox.number,
            organization_id=inbox.organization_id,
            pod_id=inbox.pod_id,
            address=inbox.address,
            username=inbox.username,
            display_name=inbox.display_name,
            created_at=inbox.created_at,
        )
    )
