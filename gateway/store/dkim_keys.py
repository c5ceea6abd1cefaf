"""Which key signs the mail of a domain, and the keys that wait for their turn or leave.

A domain row holds the one key that signs: there is always exactly one. ``dkim_key`` rows are those beside it:
``next`` (its record has to be seen in DNS before it signs; at most one) and ``retired`` (its private key is gone,
its record stays so that mail on its way, and mail read late, can still be verified).
"""

from __future__ import annotations

from gateway.mime.dkim_sign import Signing
from gateway.store.engine import Row, Tx
from gateway.store.ids import now_us


def active_key(tx: Tx, domain: str) -> Signing | None:
    """What mail from ``domain`` (A-labels, lower case) is signed with now: the key of it, or of its nearest parent
    that is ours (relaxed alignment, RFC 7489 §3.1.1). None when neither is."""
    labels = domain.split(".")
    for start in range(max(1, len(labels) - 1)):
        name = ".".join(labels[start:])
        row = tx.row("SELECT dkim_selector, dkim_private FROM domain WHERE name = ?", name)
        if row is not None:
            return Signing(name, row["dkim_selector"], row["dkim_private"])
    return None


def next_key(tx: Tx, domain: str) -> Row | None:
    """The key that is to sign once its record is live; None when no rotation is under way."""
    return tx.row("SELECT * FROM dkim_key WHERE domain = ? AND state = 'next'", domain)


def retired_keys(tx: Tx, domain: str) -> list[Row]:
    """The keys whose record still has to be, or may now be, taken out of DNS: oldest first."""
    return tx.rows("SELECT * FROM dkim_key WHERE domain = ? AND state = 'retired' ORDER BY id", domain)


def add_next(tx: Tx, domain: str, selector: str, private: str, public: str) -> None:
    """Keep a new key beside the active one."""
    tx.insert(
        "dkim_key",
        {
            "domain": domain,
            "selector": selector,
            "private": private,
            "public": public,
            "state": "next",
            "since": now_us(),
        },
    )


def activate_next(tx: Tx, domain: str) -> bool:
    """Let the next key sign from this commit on, and retire the one that did. False when there is no next key."""
    coming = next_key(tx, domain)
    active = tx.row("SELECT dkim_selector, dkim_public FROM domain WHERE name = ?", domain)
    if coming is None or active is None:
        return False
    now = now_us()
    tx.update(
        "dkim_key",
        "id",
        coming["id"],
        {
            "selector": active["dkim_selector"],
            "private": "",
            "public": active["dkim_public"],
            "state": "retired",
            "since": now,
        },
    )
    tx.update(
        "domain",
        "name",
        domain,
        {
            "dkim_selector": coming["selector"],
            "dkim_private": coming["private"],
            "dkim_public": coming["public"],
            "updated_at": now,
        },
    )
    return True
