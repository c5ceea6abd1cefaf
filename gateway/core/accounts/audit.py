"""Reading the audit log: who changed what of accounts, addresses, webhooks and rules."""

from __future__ import annotations

from gateway.core.context import Core
from gateway.core.lookup import require
from gateway.records.audit import AuditEntry
from gateway.store.listing import Listing, Window
from gateway.store.queries.audit import list_audit
from gateway.store.scope import Scope


async def list_entries(
    core: Core,
    scope: Scope,
    window: Window,
    *,
    about: str | None = None,
    action: str | None = None,
    since: int | None = None,
) -> Listing[AuditEntry]:
    """The organization's entries, newest first; the operator's key reads those of every organization.

    ``about``: only of this type (``inbox``), id or name; ``action``: only this action (``created``) or operation
    (``create_inbox``); ``since``: µs. Raises Forbidden.
    """
    require(scope, "api_key_read")
    return await core.store.read(
        lambda tx: list_audit(tx, scope, window, about=about, action=action, since=since)
    )
