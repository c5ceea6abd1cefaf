"""The log of labels put on and taken off an inbox's messages, newest first."""

from __future__ import annotations

from gateway.core.context import Core
from gateway.core.lookup import find_inbox, require
from gateway.records.inboxes import Inbox
from gateway.records.mail import LabelChange
from gateway.store.listing import Listing
from gateway.store.queries import labels as queries
from gateway.store.scope import Scope
from gateway.store.transaction import Tx


async def list_label_changes(
    core: Core,
    scope: Scope,
    inbox_ref: str,
    *,
    limit: int = 20,
    ascending: bool = False,
    position: int | None = None,
    offset: int = 0,
) -> tuple[Inbox, Listing[LabelChange]]:
    """The inbox and what changed in it.

    ``position``: a change's ``seq`` (from ``Listing.next``). Raises NotFound, Forbidden.
    """
    require(scope, "message_read")

    def read(tx: Tx) -> tuple[Inbox, Listing[LabelChange]]:
        inbox = find_inbox(tx, scope, inbox_ref)
        found = queries.list_label_changes(
            tx, inbox, limit=limit, ascending=ascending, position=position, offset=offset
        )
        return inbox, found

    return await core.store.read(read)
