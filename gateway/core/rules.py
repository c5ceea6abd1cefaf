"""The send rules: allow and block lists, and how much an inbox may send."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.core.errors import Rejected, TooMany
from gateway.settings import Limits
from gateway.store.engine import Row, Tx
from gateway.store.ids import now_us
from gateway.store.lists import decide, entries

_MINUTE_US = 60_000_000
_DAY_US = 86_400_000_000


def check_recipients(tx: Tx, inbox: Row, recipients: Iterable[tuple[str, str]], *, reply: bool) -> None:
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


def check_rate(tx: Tx, inbox: Row, limits: Limits) -> None:
    """Raise TooMany when the inbox has sent its share (``limits.sends_per_minute``, ``.sends_per_day``)."""
    now = now_us()
    for most, span, words in (
        (limits.sends_per_minute, _MINUTE_US, "a minute"),
        (limits.sends_per_day, _DAY_US, "a day"),
    ):
        if not most:
            continue
        nth = tx.value(
            "SELECT created_at FROM outbox WHERE inbox_id = ? AND created_at > ? "
            "ORDER BY created_at DESC LIMIT 1 OFFSET ?",
            inbox["id"],
            now - span,
            most - 1,
        )
        if nth is not None:
            wait = max(1, (int(nth) + span - now) // 1_000_000 + 1)
            raise TooMany(
                f"this inbox may send {most} messages {words}", int(wait), code="send_limit_reached"
            )
