"""The organization a key belongs to, with its counts and limits."""

from __future__ import annotations

from gateway.core.context import Core
from gateway.core.domains.domains import domain_count, domain_limit
from gateway.core.errors import NotFound
from gateway.core.inboxes.inboxes import inbox_limit
from gateway.store.engine import Row, Tx
from gateway.store.queries.inboxes import inbox_count, inbox_ids_in_reach
from gateway.store.row_counts import total
from gateway.store.scope import Scope


async def get(core: Core, scope: Scope) -> Row:
    """The row, with ``inbox_count``, ``inbox_limit``, ``domain_count``, ``domain_limit``, ``message_count``."""

    def read(tx: Tx) -> Row:
        row = tx.row("SELECT * FROM organization WHERE id = ?", scope.organization)
        if row is None:
            raise NotFound("the organization of this key is gone")
        return {
            **row,
            "inbox_count": inbox_count(tx, scope.organization),
            "inbox_limit": inbox_limit(tx, core, scope.organization),
            "domain_count": domain_count(tx, scope.organization),
            "domain_limit": domain_limit(tx, core, scope.organization),
            "message_count": total(
                tx, "message", inbox_ids_in_reach(tx, Scope(scope.organization)), hidden=True
            ),
        }

    return await core.store.read(read)
