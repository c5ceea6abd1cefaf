"""The rules a send must pass: allow and block lists, suppressions, limits, cold outreach."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.core.errors import Rejected
from gateway.core.sending.cold_outreach import check_cold
from gateway.core.sending.limits import check_sends, tightest
from gateway.core.sending.suppressions import check_suppressed
from gateway.core.sent import Allowance
from gateway.records.inboxes import Inbox
from gateway.settings import Limits
from gateway.store.allow_block_lists import decide, entries
from gateway.store.engine import Tx
from gateway.store.scope import Scope


def check_recipients(tx: Tx, inbox: Inbox, recipients: Iterable[tuple[str, str]], *, reply: bool) -> None:
    """Refuse (field, address) pairs that a list blocks; a reply is also held against the ``reply`` lists.

    Raises Rejected naming the first one.
    """
    directions = ("send", "reply") if reply else ("send",)
    rows = entries(tx, inbox, directions)
    for field, address in recipients if rows else ():
        if decide(rows, inbox, address) == "block":
            raise Rejected(
                f"sending to {address} is blocked by a list of this inbox, its pod or the organization",
                field=field,
                fix="take the address off the block list, or add it to the allow list",
            )


def admit(
    tx: Tx,
    scope: Scope,
    inbox: Inbox,
    limits: Limits,
    recipients: Sequence[tuple[str, str]],
    *,
    charge: bool,
) -> Allowance | None:
    """Suppressions and limits: whether a message to these (field, address) pairs may go out.

    With ``charge`` it does: the caller's transaction accepts it, and it counts. Answers the limit that has least
    left; None when there is none. Raises Rejected ``recipient_suppressed`` or TooMany.
    """
    check_suppressed(tx, inbox.organization_id, recipients)
    standing = check_sends(tx, inbox, limits, sandbox=scope.test, charge=charge)
    if not scope.test:
        standing += check_cold(tx, inbox, limits, [address for _, address in recipients], charge=charge)
    return tightest(standing)
