"""Statements about aliases: addresses besides an inbox's own, and catch-alls. See ``core.inboxes.aliases``.

``@domain`` as an alias is the domain's catch-all. One that is ``refused`` has no targets and takes no mail, even where
the catch-all would; any other lives as long as it has a target.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from gateway.records.aliases import Alias
from gateway.records.ids import INBOX_ID, InboxId, OrganizationId, new_ulid, now_us
from gateway.records.inboxes import Inbox
from gateway.store.listing import Listing, Window, page
from gateway.store.queries.audit import note_action
from gateway.store.queries.inboxes import unscoped_inbox_at
from gateway.store.scope import Scope
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from mailserver.addresses import names_of
from mailserver.base import REFUSED

_MOST_NAMES = 5000

# --- of one organization ---


def list_aliases(
    tx: Tx, scope: Scope, window: Window, *, domain: str | None, inbox_id: InboxId | None
) -> Listing[Alias]:
    """The aliases that the key reaches, catch-alls among them, of one domain or one inbox."""
    where, args = _reach(scope)
    if domain is not None:
        where, args = f"{where} AND domain = ?", [*args, domain]
    if inbox_id is not None:
        where += " AND id IN (SELECT alias_id FROM alias_target WHERE inbox_id = ?)"
        args = [*args, inbox_id]
    return page(tx, Alias, where, args, window)


def alias_is_in_reach(tx: Tx, scope: Scope, alias: Alias) -> bool:
    """Whether the key reaches an alias."""
    where, args = _reach(scope)
    return sql(tx).value(f"SELECT 1 FROM alias WHERE id = ? AND {where}", alias.id, *args) is not None  # noqa: S608


def alias_count(tx: Tx, organization: OrganizationId) -> int:
    """How many aliases an organization has."""
    return int(sql(tx).value("SELECT count(*) FROM alias WHERE organization_id = ?", organization))


def _reach(scope: Scope) -> tuple[str, list[object]]:
    """The condition that keeps aliases inside the reach: those that lead to an inbox in it."""
    if scope.kind == "organization":
        return "organization_id = ?", [scope.organization]
    inside, args = scope.inbox_where("inbox")
    return (
        "id IN (SELECT alias_id FROM alias_target JOIN inbox ON inbox.id = alias_target.inbox_id"  # noqa: S608
        f" WHERE {inside})",
        args,
    )


# --- of one alias or inbox ---


def alias_targets(tx: Tx, alias_id: str) -> list[Inbox]:
    """The inboxes of an alias, by address."""
    return sql(tx).all(
        Inbox,
        "JOIN alias_target ON alias_target.inbox_id = inbox.id"
        " WHERE alias_target.alias_id = ? AND inbox.status <> 'deleting' ORDER BY inbox.address",
        alias_id,
    )


def sender_name(tx: Tx, inbox: Inbox, address: str) -> str | None:
    """The inbox's own address or the alias as which it writes with ``address``, whatever the tag; None when it may
    not."""
    for name in names_of(address):
        if name == inbox.address:
            return name
        if unscoped_inbox_at(tx, name) is not None:
            return None
        if alias := unscoped_alias(tx, name):
            return name if any(one.id == inbox.id for one in alias_targets(tx, alias.id)) else None
    return None


def own_among(tx: Tx, inbox: Inbox, addresses: Iterable[str]) -> frozenset[str]:
    """Those of ``addresses`` by which mail reaches the inbox: its own, its aliases', what its catch-all takes; with any
    tag, unless somebody has that very name."""
    ours = {inbox.address}
    ours.update(
        row["address"]
        for row in sql(tx).rows(
            "SELECT address FROM alias JOIN alias_target ON alias_target.alias_id = alias.id"
            " WHERE alias_target.inbox_id = ?",
            inbox.id,
        )
    )
    domains = {one.rpartition("@")[2] for one in ours}
    found, unclear = set(), {}
    for address in addresses:
        names = names_of(address)
        domain = names[0].rpartition("@")[2] if names else ""
        if domain not in domains:
            continue
        at = next((at for at, name in enumerate(names) if name in ours), None)
        if at is None and f"@{domain}" not in ours:
            continue
        if longer := names[:at]:
            unclear[address] = longer
        else:
            found.add(address)
    taken = _with_a_row(tx, {name for names in unclear.values() for name in names})
    return frozenset(found.union(one for one, names in unclear.items() if taken.isdisjoint(names)))


def _with_a_row(tx: Tx, names: Collection[str]) -> set[str]:
    """Those of ``names``, or of as many of them as an honest mail has, that are an inbox or alias."""
    asked = sorted(names)[:_MOST_NAMES]
    marks = ", ".join("?" * len(asked))
    return {
        row["address"]
        for table in ("inbox", "alias")
        if asked
        for row in sql(tx).rows(f"SELECT address FROM {table} WHERE address IN ({marks})", *asked)  # noqa: S608
    }


# --- of any organization ---


def unscoped_alias(tx: Tx, address: str) -> Alias | None:
    """The alias of this address."""
    return sql(tx).one(Alias, "WHERE address = ?", address)


def unscoped_alias_table(tx: Tx) -> dict[str, list[str]]:
    """Every alias with the addresses it leads to, as ``MailServer.set_alias`` takes them."""
    found: dict[str, list[str]] = {}
    for row in sql(tx).rows(
        "SELECT alias.address, inbox.address AS target FROM alias"
        " LEFT JOIN alias_target ON alias_target.alias_id = alias.id"
        " LEFT JOIN inbox ON inbox.id = alias_target.inbox_id AND inbox.status <> 'deleting'"
        " WHERE alias.refused = 1 OR inbox.id IS NOT NULL"
    ):
        found.setdefault(row["address"], []).append(REFUSED if row["target"] is None else row["target"])
    return found


# --- changes ---


def claim_address(tx: Tx, address: str) -> None:
    """Before an address is looked up to be taken, as an inbox or as an alias: whoever takes it now is waited for.

    No constraint of the database spans the two tables.
    """
    tx.lock(f"address/{address}")


def put_alias(tx: Tx, organization: OrganizationId, address: str, inbox_ids: list[InboxId]) -> Alias:
    """Give an alias exactly these inboxes (ULIDs), or with none refuse the address; made if there is none."""
    now = now_us()
    alias = unscoped_alias(tx, address)
    if alias is None:
        alias = Alias(
            id=new_ulid(),
            organization_id=organization,
            address=address,
            domain=address.rpartition("@")[2],
            refused=False,
            created_at=now,
            updated_at=now,
        )
        sql(tx).add(alias)
    alias = msgspec.structs.replace(
        alias, refused=not inbox_ids, updated_at=max(now, alias.updated_at + 1000)
    )
    sql(tx).update("alias", "id", alias.id, {"refused": int(alias.refused), "updated_at": alias.updated_at})
    sql(tx).run("DELETE FROM alias_target WHERE alias_id = ?", alias.id)
    facts = {"inbox_ids": [INBOX_ID.public(one) for one in inbox_ids[:100]]}
    note_action(
        tx, "alias", address, "targets_set", name=address, organization=alias.organization_id, facts=facts
    )
    for inbox_id in dict.fromkeys(inbox_ids):
        sql(tx).insert("alias_target", {"alias_id": alias.id, "inbox_id": inbox_id})
    return alias


def remove_alias(tx: Tx, alias_id: str) -> None:
    """Delete an alias with its targets."""
    sql(tx).run("DELETE FROM alias_target WHERE alias_id = ?", alias_id)
    sql(tx).run("DELETE FROM alias WHERE id = ?", alias_id)


def lift_refusal(tx: Tx, address: str) -> bool:
    """An inbox comes to a refused address; False when the address is an alias of somebody's."""
    alias = unscoped_alias(tx, address)
    if alias is None:
        return True
    if alias.refused:
        remove_alias(tx, alias.id)
    return alias.refused


def take_inbox_off_aliases(tx: Tx, inbox: Inbox) -> bool:
    """Take an inbox away from every alias; aliases of nobody else go.

    Where the domain has a catch-all of another inbox, the address is refused from now on: its mail was never meant for
    whoever takes the rest. True when it is.
    """
    sql(tx).run("DELETE FROM alias_target WHERE inbox_id = ?", inbox.id)
    sql(tx).run(
        "DELETE FROM alias WHERE organization_id = ? AND refused = 0"
        " AND NOT EXISTS (SELECT 1 FROM alias_target WHERE alias_id = alias.id)",
        inbox.organization_id,
    )
    if unscoped_alias(tx, "@" + inbox.domain) is None:
        return False
    put_alias(tx, inbox.organization_id, inbox.address, [])
    return True


def remove_domain_aliases(tx: Tx, domain: str) -> list[str]:
    """Delete the aliases in a domain; answers their addresses."""
    rows = sql(tx).rows("SELECT id, address FROM alias WHERE domain = ?", domain)
    for row in rows:
        remove_alias(tx, row["id"])
    return [row["address"] for row in rows]
