"""Asking DNS about the records of a domain, and keeping what it said."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from gateway.core.context import Core
from gateway.core.domains.domains import find_domain
from gateway.core.domains.proof import prove, shows_proof
from gateway.core.domains.records import REQUIRED, Keys, all_records, keys_of, records_of, site_of
from gateway.core.errors import NotFound
from gateway.core.lookup import require
from gateway.settings import Settings
from gateway.store.engine import Row, Tx
from gateway.store.ids import now_us
from gateway.store.json_columns import dump, load
from gateway.store.scope import Scope
from mailserver.dns import Checker, Record, ResolverSettings, Site


async def verify(core: Core, scope: Scope, ref: str) -> Row:
    """Ask DNS about the required records now; VERIFIED only when all are there. Event ``domain.verified`` on the
    change.

    What DNS cannot answer counts as missing.
    """
    require(scope, "domain_update")
    row = await core.store.read(lambda tx: find_domain(tx, scope, ref))
    checker = await checker_of(core.settings)
    return await note(core, row["name"], await checker.check(records_of(core.settings, row)))


async def examine(core: Core, name: str) -> tuple[Row, list[Record], Keys]:
    """Ask DNS about every record the domain should have, and keep what it said where it said something.

    Answers the row, the records with what was found, and the keys beside the active one. Raises NotFound.
    """
    row, keys, site = await facts(core, name)
    checker = await checker_of(core.settings)
    known = all_records(core.settings, row, keys, site)
    found, outlived = await asyncio.gather(checker.check(known), checker.check(keys.outlived))
    said = [new if new.answered else old for new, old in zip(found, known, strict=True)]
    row = await note(core, name, said)
    gone = [one.name.partition("._domainkey.")[0] for one in outlived if one.answered and not one.found]
    if gone:
        await core.store.write(partial(_forget_keys, name=name, selectors=gone))
        keys = await core.store.read(lambda tx: keys_of(tx, core.settings, name))
    return row, found, keys


async def examine_own(core: Core, scope: Scope, ref: str) -> tuple[Row, list[Record], Keys]:
    """:func:`examine` for whoever may see the domain. Raises NotFound, Forbidden."""
    require(scope, "domain_update")
    row = await core.store.read(lambda tx: find_domain(tx, scope, ref))
    return await examine(core, row["name"])


async def facts(core: Core, name: str) -> tuple[Row, Keys, Site]:
    """What the records of a domain are made from. Raises NotFound."""
    site = await asyncio.to_thread(site_of, core.settings)
    row, keys = await core.store.read(lambda tx: (_row(tx, name), keys_of(tx, core.settings, name)))
    return row, keys, site


async def checker_of(settings: Settings) -> Checker:
    """A checker that asks whom the settings name."""
    dns = settings.dns
    asked = ResolverSettings(tuple(dns.nameservers), dns.port, dns.timeout)
    return await asyncio.to_thread(Checker, asked)  # reads /etc/resolv.conf


async def note(core: Core, name: str, found: Sequence[Record]) -> Row:
    """Keep what DNS said; a domain that is proven by it is told to the mail server."""
    row, new = await core.store.write(partial(_note, core=core, name=name, found=found))
    if new:
        await core.mail.add_domain(name)
    return row


def _note(tx: Tx, *, core: Core, name: str, found: Sequence[Record]) -> tuple[Row, bool]:
    row = _row(tx, name)
    required = [one for one in found if one.purpose in REQUIRED]
    statuses = [one.status for one in required]
    verified = all(status == "VALID" for status in statuses)
    ready = all(one.status == "VALID" for one in required if one.purpose != "dmarc")
    now = now_us()
    since = row["verified_at"] if row["status"] == "VERIFIED" else now
    held = load(row["checked_json"]) or {}
    known = {**held, **{one.key: one.status for one in found}}
    columns: Row = {
        "checked_json": dump(known),
        "status": "VERIFIED" if verified else "INVALID" if "INVALID" in statuses else "PENDING",
        "verified_at": since if verified else row["verified_at"],
        "ready_at": (row["ready_at"] or now) if ready else None,
        "checked_at": now,
        "updated_at": now,
    }
    if known != held:
        columns["changed_at"] = now
    tx.update("domain", "name", name, columns)
    row = {**row, **columns}
    new = row["proven_at"] is None and shows_proof(required)
    if new:
        row = prove(tx, row)
    if verified and row["organization_id"]:
        core.events.append(
            tx,
            "domain.verified",
            organization_id=row["organization_id"],
            pod_id=row["pod_id"],
            subject=f"{name}/{since}",
            payload={"domain": snapshot(core.settings, row)},
            at=int(since),
        )
    return row, new


def _row(tx: Tx, name: str) -> Row:
    row = tx.row("SELECT * FROM domain WHERE name = ?", name)
    if row is None:
        raise NotFound(f"there is no domain {name!r}", fix="GET /domains lists the domains of this key")
    return row


def _forget_keys(tx: Tx, *, name: str, selectors: Sequence[str]) -> None:
    for one in selectors:
        tx.run("DELETE FROM dkim_key WHERE domain = ? AND selector = ? AND state = 'retired'", name, one)


_UNTOLD = frozenset({"checked_json", "checked_at", "changed_at", "proven_at", "mta_sts"})


def snapshot(settings: Settings, row: Row) -> Row:
    """A domain as the event log keeps it: no private key."""
    kept = {
        name: value for name, value in row.items() if not name.startswith("dkim_") and name not in _UNTOLD
    }
    kept["records"] = [
        {
            "type": one.type,
            "name": one.name,
            "value": one.value,
            "priority": one.priority,
            "status": one.status,
        }
        for one in records_of(settings, row)
    ]
    return kept
