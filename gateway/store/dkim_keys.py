"""Which key signs the mail of a domain, and the keys that wait for their turn or leave.

A domain row holds the one key that signs: there is always exactly one. ``dkim_key`` rows are those beside it:
``next`` (its record has to be seen in DNS before it signs; at most one) and ``retired`` (its private key is gone,
its record stays so that mail on its way, and mail read late, can still be verified).
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.mime.dkim_sign import Signing
from gateway.records.base import Secret
from gateway.records.domains import DkimKey
from gateway.records.ids import now_us
from gateway.store.sql import sql
from gateway.store.transaction import Tx


def active_key(tx: Tx, domain: str) -> Signing | None:
    """What mail from ``domain`` (A-labels, lower case) is signed with now: the key of it, or of its nearest parent
    that is ours (relaxed alignment, RFC 9989 §4.4). None when neither is."""
    labels = domain.split(".")
    for start in range(max(1, len(labels) - 1)):
        name = ".".join(labels[start:])
        row = sql(tx).row("SELECT dkim_selector, dkim_private FROM domain WHERE name = ?", name)
        if row is not None:
            return Signing(name, row["dkim_selector"], row["dkim_private"])
    return None


def active_keys(tx: Tx, changed: tuple[str, ...] = ()) -> list[Signing]:
    """What the mail of each domain is signed with, by name; ``changed``: fields that no signature may cover."""
    rows = sql(tx).rows("SELECT name, dkim_selector, dkim_private FROM domain ORDER BY name")
    return [Signing(row["name"], row["dkim_selector"], row["dkim_private"], changed) for row in rows]


def next_key(tx: Tx, domain: str) -> DkimKey | None:
    """The key that is to sign once its record is live; None when no rotation is under way."""
    return sql(tx).one(DkimKey, "WHERE domain = ? AND state = 'next'", domain)


def retired_keys(tx: Tx, domain: str) -> list[DkimKey]:
    """The keys whose record still has to be, or may now be, taken out of DNS: oldest first."""
    return sql(tx).all(DkimKey, "WHERE domain = ? AND state = 'retired' ORDER BY id", domain)


def key_selectors(tx: Tx, domain: str) -> set[str]:
    """The selectors of the keys beside the active one."""
    rows = sql(tx).rows("SELECT selector FROM dkim_key WHERE domain = ?", domain)
    return {row["selector"] for row in rows}


def add_next(tx: Tx, domain: str, selector: str, private: Secret, public: str) -> None:
    """Keep a new key beside the active one."""
    sql(tx).insert(
        "dkim_key",
        {
            "domain": domain,
            "selector": selector,
            "private": private.reveal(),
            "public": public,
            "state": "next",
            "since": now_us(),
        },
    )


def activate_next(tx: Tx, domain: str) -> bool:
    """Let the next key sign from this commit on, and retire the one that did. False when there is no next key."""
    coming = next_key(tx, domain)
    active = sql(tx).row("SELECT dkim_selector, dkim_public FROM domain WHERE name = ?", domain)
    if coming is None or active is None:
        return False
    now = now_us()
    sql(tx).update(
        "dkim_key",
        "id",
        coming.id,
        {
            "selector": active["dkim_selector"],
            "private": "",
            "public": active["dkim_public"],
            "state": "retired",
            "since": now,
        },
    )
    sql(tx).update(
        "domain",
        "name",
        domain,
        {
            "dkim_selector": coming.selector,
            "dkim_private": coming.private.reveal(),
            "dkim_public": coming.public,
            "updated_at": now,
        },
    )
    return True


def forget_retired(tx: Tx, domain: str, selectors: Iterable[str]) -> None:
    """Delete the retired keys with these selectors, whose records are gone from DNS."""
    for selector in selectors:
        sql(tx).run(
            "DELETE FROM dkim_key WHERE domain = ? AND selector = ? AND state = 'retired'", domain, selector
        )
