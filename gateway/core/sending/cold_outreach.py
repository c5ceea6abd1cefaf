"""Cold outreach (contract: OpenMail §10): mail to people who never wrote to the inbox, capped per UTC day.

Each cold recipient of a message counts one, for the inbox and for its organization; a message with no room left for
all of them is refused whole. Both caps are lower while the inbox, or the organization, is new. Mail to people who
wrote to this inbox is not counted at all; what was deleted since, and mail whose sender was not authenticated or was
blocked, is no sign that they did.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core.errors import TooMany
from gateway.core.sending.limits import measure
from gateway.core.sent import Allowance
from gateway.records.inboxes import Inbox
from gateway.settings import Limits
from gateway.store import daily_counts
from gateway.store.queries.standing import Standing


@dataclass(frozen=True, slots=True)
class ColdLimit:
    """A cap that holds, of an organization or inbox (``subject``), and what is left of it after the message."""

    subject: str
    allowance: Allowance | TooMany


def cold_limits(standing: Standing, inbox: Inbox, limits: Limits, now: int) -> list[ColdLimit]:
    """The caps that a message is counted under at ``now`` (µs); none when everybody wrote to the inbox before."""
    cold = standing.strangers
    if not cold:
        return []
    organization_cap = _cap(
        limits, limits.cold_new_organization, limits.cold_organization, standing.organization_since, now
    )
    inbox_cap = _cap(limits, limits.cold_new_inbox, limits.cold_inbox, inbox.created_at, now)
    found = []
    for subject, most, before, whose in (
        (inbox.organization_id, organization_cap, standing.cold_organization, "the organization"),
        (inbox.id, inbox_cap, standing.cold_inbox, "this inbox"),
    ):
        if most:
            used = before + cold
            words = f"{whose} may write to {most} people a day who never wrote to it"
            if before < most < used:
                words += f"; this message has {cold} of them, {most - before} are left"
            allowance = measure("cold_outreach", words, most, used, now, code="cold_outreach_limit")
            found.append(ColdLimit(subject, allowance))
    return found


def _cap(limits: Limits, new: int, old: int, since: int | None, now: int) -> int:
    """The cap of something made at ``since`` (µs); 0 for none."""
    return new if since is not None and now - since < limits.cold_days * daily_counts.DAY_US else old
