"""How many webhooks an organization may have, those of all dialects and of its inboxes together."""

from __future__ import annotations

from gateway.core.context import Core
from gateway.core.errors import LimitReached
from gateway.records.ids import OrganizationId
from gateway.store.queries.webhooks import webhook_count
from gateway.store.transaction import Tx


def check_limit(tx: Tx, core: Core, organization: OrganizationId, field: str) -> None:
    """Whether an organization (ULID) may have one webhook more, in the transaction that adds it.

    One that is switched off counts, as it can be switched on; a URL that was cleared does not. ``field``: what names
    the new one's URL. Raises LimitReached.
    """
    most = core.settings.limits.webhooks
    if not most:
        return
    tx.lock(f"webhooks/{organization}")
    held = webhook_count(tx, organization)
    if held >= most:
        raise LimitReached(
            f"{field}: the organization has {held} webhooks, and limits.webhooks lets it have {most}",
            field=field,
            code="webhook_limit_reached",
            fix="delete a webhook, or clear the URL of an inbox, or raise limits.webhooks",
        )
