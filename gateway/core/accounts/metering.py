"""What each inbox received, sent and holds: the figures to bill by.

Counted from the rows of the messages that exist: deleted mail counts nowhere, and filtered mail (label
``blocked``) is not there for anybody who asks here. The index of the organization's messages carries every
figure, so that a count over months reads no row.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core.context import Core
from gateway.core.errors import Invalid
from gateway.core.lookup import require
from gateway.records.ids import InboxId, now_us
from gateway.store.queries.inboxes import inbox_addresses_in_reach
from gateway.store.queries.usage import mail_moved, stored_octets
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

_DAY = 86_400_000_000
DEFAULT_DAYS = 30
MAX_DAYS = 92


@dataclass(slots=True)
class Metered:
    """One inbox. ``stored_bytes`` is what it holds now; the rest is of the window."""

    inbox_id: InboxId
    address: str
    inbound: int = 0
    outbound: int = 0
    attachment_bytes: int = 0
    stored_bytes: int = 0


def window(start: int | None, end: int | None) -> tuple[int, int]:
    """A checked window in µs, end excluded; by default the last 30 days, at most 92. Raises Invalid."""
    end = now_us() if end is None else end
    start = end - DEFAULT_DAYS * _DAY if start is None else start
    if start >= end:
        raise Invalid("from is not before to", field="from", fix="correct from or to")
    if end - start > MAX_DAYS * _DAY:
        raise Invalid(f"from and to are more than {MAX_DAYS} days apart", field="from", fix="ask in parts")
    return start, end


async def metered(core: Core, scope: Scope, start: int, end: int) -> list[Metered]:
    """Every inbox inside the reach, the newest first, those without any mail too."""
    require(scope, "metrics_read")

    def read(tx: Tx) -> list[Metered]:
        found = {
            inbox_id: Metered(inbox_id, address)
            for inbox_id, address in inbox_addresses_in_reach(tx, scope).items()
        }
        for moved in mail_moved(tx, scope, start, end):
            if inbox := found.get(moved.inbox_id):
                inbox.attachment_bytes += moved.attachment_octets
                if moved.direction == "inbound":
                    inbox.inbound = moved.messages
                else:
                    inbox.outbound = moved.messages
        for inbox_id, octets in stored_octets(tx, scope).items():
            if inbox := found.get(inbox_id):
                inbox.stored_bytes = octets
        return list(found.values())

    return await core.store.read(read)
