"""Cold outreach (contract: OpenMail §10): mail to people who never wrote to the inbox, capped per UTC day.

Each cold recipient of a message counts one, for the inbox and for its organization; a message with no room left for
all of them is refused whole. Both caps are lower while the inbox, or the organization, is new. Mail to people who
wrote to this inbox is not counted at all; what was deleted since, and mail whose sender was not authenticated or was
blocked, is no sign that they did.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.sending.limits import add, allow
from gateway.core.sent import Allowance
from gateway.records.inboxes import Inbox
from gateway.settings import Limits
from gateway.store import daily_counts
from gateway.store.engine import Tx
from gateway.store.ids import now_us
from gateway.store.queries.contacts import wrote_to
from gateway.store.queries.organizations import organization_since


def check_cold(
    tx: Tx, inbox: Inbox, limits: Limits, recipients: Sequence[str], *, charge: bool
) -> list[Allowance]:
    """Whether the inbox may write to these addresses; with ``charge`` it does. Raises TooMany."""
    if not (
        limits.cold_new_inbox or limits.cold_inbox or limits.cold_new_organization or limits.cold_organization
    ):
        return []
    organization = inbox.organization_id
    since = organization_since(tx, organization)
    organization_cap = _cap(limits, limits.cold_new_organization, limits.cold_organization, since)
    inbox_cap = _cap(limits, limits.cold_new_inbox, limits.cold_inbox, inbox.created_at)
    cold = sum(not wrote_to(tx, inbox.id, address) for address in recipients)
    if not cold:
        return []
    found = []
    for subject, most, whose in (
        (organization, organization_cap, "the organization"),
        (inbox.id, inbox_cap, "this inbox"),
    ):
        if most:
            used = add(tx, subject, "cold", cold, charge)
            words = f"{whose} may write to {most} people a day who never wrote to it"
            if used - cold < most < used:
                words += f"; this message has {cold} of them, {most - used + cold} are left"
            found.append(allow("cold_outreach", words, most, used, code="cold_outreach_limit"))
    return found


def _cap(limits: Limits, new: int, old: int, since: int | None) -> int:
    """The cap of something made at ``since`` (µs); 0 for none."""
    return new if since is not None and now_us() - since < limits.cold_days * daily_counts.DAY_US else old
