"""How much was done lately: sends from the outbox's own rows, the rest counted per UTC day in table ``tally``.

What outlives its inbox (an organization's sends, cold recipients, creations) is counted, so that deleting an inbox does
not give the quota back; so are new recipients. The outbox's sweep forgets past days.
"""

from __future__ import annotations

from typing import Literal

from gateway.records.ids import InboxId, now_us
from gateway.records.simulator import SIMULATOR_DOMAIN
from gateway.store.sql import sql
from gateway.store.transaction import Tx

What = Literal["sends", "cold", "new", "inboxes", "simulated"]

DAY_US = 86_400_000_000


def day_start(at: int) -> int:
    """The UTC midnight (µs) before or at ``at``."""
    return at - at % DAY_US


def count(tx: Tx, subject: str, what: What, by: int) -> int:
    """Add ``by`` to today's count; answers the new one. Others that count the same wait for this transaction."""
    return int(
        sql(tx).value(
            "INSERT INTO tally (subject, what, day, n) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (subject, what, day) DO UPDATE SET n = tally.n + excluded.n RETURNING n",
            subject,
            what,
            now_us() // DAY_US,
            by,
        )
    )


def counted(tx: Tx, subject: str, what: What) -> int:
    """Today's count."""
    found = sql(tx).value(
        "SELECT n FROM tally WHERE subject = ? AND what = ? AND day = ?", subject, what, now_us() // DAY_US
    )
    return int(found or 0)


def held(tx: Tx, subject: str, what: What) -> int:
    """Today's count; others that count the same wait for this transaction."""
    return count(tx, subject, what, 0) if tx.postgres else counted(tx, subject, what)


def sent_since(tx: Tx, inbox_id: InboxId, since: int, most: int) -> tuple[int, int | None]:
    """(how many sends the inbox made after ``since``, counted up to ``most``; when the oldest of them was, µs).

    Notifications of our own (a null return path) and answers of the simulator are no sends. For a count that holds
    until the commit, the caller has locked the inbox (``queries.inboxes.lock_inbox``).
    """
    row = sql(tx).row(
        "SELECT count(*) AS n, min(created_at) AS oldest FROM (SELECT created_at FROM outbox "
        "WHERE inbox_id = ? AND created_at > ? AND mail_from <> '' AND mail_from NOT LIKE ? "
        "ORDER BY created_at DESC LIMIT ?) AS lately",
        inbox_id,
        since,
        f"%@{SIMULATOR_DOMAIN}",
        most,
    )
    assert row is not None
    return int(row["n"]), row["oldest"]


def unscoped_forget_past_days(tx: Tx) -> None:
    """Delete the counts of days that are over."""
    sql(tx).run("DELETE FROM tally WHERE day < ?", now_us() // DAY_US)
