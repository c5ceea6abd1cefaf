"""How much an inbox sent lately, as far as its policy has caps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.mime.addresses import normalise
from gateway.records.ids import InboxId, ThreadId
from gateway.records.inboxes import Inbox
from gateway.records.simulator import SIMULATOR_DOMAIN
from gateway.store import daily_counts
from gateway.store.queries.contacts import wrote_to
from gateway.store.sql import sql
from gateway.store.transaction import Tx


@dataclass(frozen=True, slots=True)
class PaceAsked:
    """What is counted. ``windows``: (length in µs, up to how many sends); ``thread``: of a thread, None for none."""

    windows: tuple[tuple[int, int], ...] = ()
    recipients: bool = False
    thread: ThreadId | None = None
    new: bool = False

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to count."""
        return not (self.windows or self.recipients or self.thread or self.new)


@dataclass(frozen=True, slots=True)
class Pace:
    """What was counted. ``windows``: by length, (how many, when the oldest of them was, µs); ``recipients``: sends of
    the last day to each recipient, and ``thread``: in the thread; ``new``: recipients with whom the inbox has exchanged
    no mail; ``new_today``: how many of those were written to today."""

    windows: Mapping[int, tuple[int, int | None]] = field(default_factory=dict)
    recipients: Mapping[str, int] = field(default_factory=dict)
    thread: int = 0
    new: int = 0
    new_today: int = 0


def pace_of(
    tx: Tx, inbox: Inbox, recipients: Sequence[str], asked: PaceAsked, now: int, *, hold: bool
) -> Pace:
    """Count what ``asked`` says, at ``now`` (µs). ``hold``: keep it until the transaction ends; the inbox is locked."""
    if asked.nothing:
        return Pace()
    day = now - daily_counts.DAY_US
    addresses = [normalise(one) for one in recipients]
    sent = _sent_to(tx, inbox.id, addresses, day) if asked.recipients else {}
    thread = _sent_in(tx, asked.thread, day) if asked.thread else 0
    new, new_today = 0, 0
    if asked.new:
        new = sum(not wrote_to(tx, inbox.id, one) for one in addresses)
        read = daily_counts.held if hold else daily_counts.counted
        new_today = read(tx, inbox.id, "new") if new else 0
    return Pace(
        windows={
            length: daily_counts.sent_since(tx, inbox.id, now - length, most)
            for length, most in asked.windows
        },
        recipients=sent,
        thread=thread,
        new=new,
        new_today=new_today,
    )


def _sent_to(tx: Tx, inbox_id: InboxId, addresses: Sequence[str], since: int) -> dict[str, int]:
    if not addresses:
        return {}
    marks = ", ".join("?" * len(addresses))
    rows = sql(tx).rows(
        "SELECT lower(outbox_recipient.address) AS address, count(*) AS n FROM outbox "  # noqa: S608
        "JOIN outbox_recipient ON outbox_recipient.outbox_id = outbox.id "
        "WHERE outbox.inbox_id = ? AND outbox.created_at > ? AND outbox.mail_from <> '' "
        "AND outbox.mail_from NOT LIKE ? "
        f"AND outbox_recipient.role <> 'sent' AND lower(outbox_recipient.address) IN ({marks}) "
        "GROUP BY lower(outbox_recipient.address)",
        inbox_id,
        since,
        f"%@{SIMULATOR_DOMAIN}",
        *addresses,
    )
    return {row["address"]: row["n"] for row in rows}


def _sent_in(tx: Tx, thread: ThreadId, since: int) -> int:
    return int(
        sql(tx).value(
            "SELECT count(*) FROM message WHERE thread_id = ? AND direction = 'outbound' AND timestamp > ?",
            thread,
            since,
        )
    )
