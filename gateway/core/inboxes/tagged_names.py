"""Addresses with a tag (RFC 5233) that an inbox or alias would take for itself.

An address is looked up as it is written before its tag is left out, so who had ``name+tag`` would get mail that was
written to ``name``: only who has ``name`` may have it.
"""

from __future__ import annotations

from gateway.core.errors import Taken
from gateway.records.ids import PodId
from gateway.store.queries.aliases import alias_is_in_reach, unscoped_alias
from gateway.store.queries.inboxes import unscoped_inbox_at
from gateway.store.scope import Scope
from gateway.store.transaction import Tx
from mailserver.addresses import names_of


def check_tagged(tx: Tx, scope: Scope, address: str, pod_id: PodId | None) -> None:
    """Raise Taken where ``address`` without a tag of it is the inbox or alias of another organization, or of another
    pod than ``pod_id`` (None: any)."""
    for name in names_of(address)[1:]:
        inbox, alias = unscoped_inbox_at(tx, name), unscoped_alias(tx, name)
        ours = True
        if inbox is not None:
            ours = inbox.organization_id == scope.organization and pod_id in (None, inbox.pod_id)
        elif alias is not None:
            ours = alias.organization_id == scope.organization and alias_is_in_reach(tx, scope, alias)
        if not ours:
            raise Taken(f"mail to {address} is that of {name}, which is taken", fix="choose another name")
