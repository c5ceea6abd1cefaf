"""Aliases in the database: addresses besides an inbox's own, and catch-alls. See ``core.inboxes.aliases``.

``@domain`` as an alias is the domain's catch-all. One that is ``refused`` has no targets and takes no mail, even where
the catch-all would; any other lives as long as it has a target.
"""

from __future__ import annotations

from gateway.mime.addresses import base_address
from gateway.records.inboxes import Inbox
from gateway.store.engine import Row, Tx
from gateway.store.ids import new_ulid, now_us
from mailserver.base import REFUSED


def claim(tx: Tx, address: str) -> None:
    """Before an address is looked up to be taken, as an inbox or as an alias: whoever takes it now is waited for.

    No constraint of the database spans the two tables.
    """
    tx.lock(f"address/{address}")


def find(tx: Tx, address: str) -> Row | None:
    """The alias of that address, or None."""
    return tx.row("SELECT * FROM alias WHERE address = ?", address)


def put(tx: Tx, organization: str, address: str, inboxes: list[str]) -> Row:
    """Give an alias exactly these inboxes (ULIDs), or with none refuse the address; made if there is none."""
    now = now_us()
    held = find(tx, address)
    if held is None:
        held = {
            "id": new_ulid(),
            "organization_id": organization,
            "address": address,
            "domain": address.rpartition("@")[2],
            "refused": 0,
            "created_at": now,
            "updated_at": now,
        }
        tx.insert("alias", held)
    changes = {"refused": int(not inboxes), "updated_at": max(now, held["updated_at"] + 1000)}
    tx.update("alias", "id", held["id"], changes)
    tx.run("DELETE FROM alias_target WHERE alias_id = ?", held["id"])
    for inbox in dict.fromkeys(inboxes):
        tx.insert("alias_target", {"alias_id": held["id"], "inbox_id": inbox})
    return {**held, **changes}


def drop(tx: Tx, alias_id: str) -> None:
    tx.run("DELETE FROM alias_target WHERE alias_id = ?", alias_id)
    tx.run("DELETE FROM alias WHERE id = ?", alias_id)


def lift_refusal(tx: Tx, address: str) -> bool:
    """An inbox comes to a refused address; False when the address is an alias of somebody's."""
    held = find(tx, address)
    if held is None:
        return True
    if held["refused"]:
        drop(tx, held["id"])
    return bool(held["refused"])


def forget_inbox(tx: Tx, inbox: Inbox) -> bool:
    """Take an inbox away from every alias; aliases of nobody else go.

    Where the domain has a catch-all of another inbox, the address is refused from now on: its mail was never meant for
    whoever takes the rest. True when it is.
    """
    tx.run("DELETE FROM alias_target WHERE inbox_id = ?", inbox.id)
    tx.run(
        "DELETE FROM alias WHERE organization_id = ? AND refused = 0"
        " AND NOT EXISTS (SELECT 1 FROM alias_target WHERE alias_id = alias.id)",
        inbox.organization_id,
    )
    if find(tx, "@" + inbox.domain) is None:
        return False
    put(tx, inbox.organization_id, inbox.address, [])
    return True


def forget_domain(tx: Tx, domain: str) -> list[str]:
    """Drop the aliases in a domain; answers their addresses."""
    rows = tx.rows("SELECT id, address FROM alias WHERE domain = ?", domain)
    for row in rows:
        drop(tx, row["id"])
    return [row["address"] for row in rows]


def targets(tx: Tx, alias_id: str) -> list[Inbox]:
    """The inboxes of an alias, by address."""
    return tx.all(
        Inbox,
        "JOIN alias_target ON alias_target.inbox_id = inbox.id"
        " WHERE alias_target.alias_id = ? AND inbox.status <> 'deleting' ORDER BY inbox.address",
        alias_id,
    )


def table(tx: Tx) -> dict[str, list[str]]:
    """Every alias with the addresses it leads to, as ``MailServer.set_alias`` takes them."""
    found: dict[str, list[str]] = {}
    for row in tx.rows(
        "SELECT alias.address, inbox.address AS target FROM alias"
        " LEFT JOIN alias_target ON alias_target.alias_id = alias.id"
        " LEFT JOIN inbox ON inbox.id = alias_target.inbox_id AND inbox.status <> 'deleting'"
        " WHERE alias.refused = 1 OR inbox.id IS NOT NULL"
    ):
        found.setdefault(row["address"], []).append(REFUSED if row["target"] is None else row["target"])
    return found


def may_send(tx: Tx, inbox: Inbox, address: str) -> bool:
    """Whether an inbox may write as ``address``: its own, or an alias of it (a catch-all gives it no names)."""
    base = base_address(address)
    if base == inbox.address:
        return True
    return not base.startswith("@") and bool(
        tx.value(
            "SELECT 1 FROM alias JOIN alias_target ON alias_target.alias_id = alias.id"
            " WHERE alias.address = ? AND alias_target.inbox_id = ?",
            base,
            inbox.id,
        )
    )
