"""Mail domains: adding, listing, changing and deleting them.

Beside it: ``domains_records`` (what is to be published), ``domains_check`` (whether DNS has it), ``domains_proof``
(from when on mail for a domain is ours), ``domains_keys`` (rotation), ``domains_watch`` (all of it, by itself).
"""

from __future__ import annotations

import asyncio

from gateway.core.context import Core
from gateway.core.domains.proof import proven_at_birth
from gateway.core.errors import Conflict, Forbidden, Invalid, LimitReached, NotFound, Taken
from gateway.core.lookup import find_pod, require
from gateway.core.paging import clean_text, page_of
from gateway.mime.dkim_sign import generate_key
from gateway.settings import Settings
from gateway.store import aliases
from gateway.store.engine import NotUnique, Row, Tx
from gateway.store.ids import new_ulid, now_us, number_in, number_of
from gateway.store.listing import Listing, Window
from gateway.store.queries.inboxes import unscoped_domain_inbox_count
from gateway.store.scope import Scope
from mailserver.addresses import fold_domain
from mailserver.base import MailServerError
from mailserver.dns.mta_sts import Mode

SELECTOR = "dkim"


async def domain_row(settings: Settings, name: str, organization: str | None) -> Row:
    """A fresh domain row with its own signing key (made off the event loop: it takes a tenth of a second)."""
    private, public = await asyncio.to_thread(generate_key)
    now = now_us()
    return {
        "name": name,
        "number": number_of(new_ulid()),
        "organization_id": organization,
        "pod_id": None,
        "client_id": None,
        "status": "PENDING",
        "feedback_enabled": 1,
        "subdomains_enabled": 0,
        "dkim_selector": SELECTOR,
        "dkim_private": private,
        "dkim_public": public,
        "checked_json": None,
        "verified_at": None,
        "ready_at": None,
        "proven_at": now if proven_at_birth(settings, organization) else None,
        "mta_sts": "testing",
        "checked_at": None,
        "changed_at": None,
        "created_at": now,
        "updated_at": now,
    }


def is_domain(name: str) -> bool:
    """Whether this can be the name of a mail domain: two labels at least."""
    try:
        return "." in fold_domain(name) and len(fold_domain(name)) <= 253
    except MailServerError:
        return False


async def create(
    core: Core,
    scope: Scope,
    name: str,
    *,
    feedback: bool = True,
    subdomains: bool = False,
    client_id: str | None = None,
    pod: str | None = None,
) -> tuple[Row, bool]:
    """Add a domain; answers its row and whether it is new. Raises Invalid, Taken, LimitReached."""
    require(scope, "domain_create")
    if is_domain(name):
        name = fold_domain(name)
    else:
        raise Invalid(
            "domain is not a domain name", field="domain", code="invalid_domain", fix="write example.com"
        )
    client_id = clean_text(client_id, "client_id")
    held = await core.store.read(lambda tx: tx.row("SELECT * FROM domain WHERE name = ?", name))
    if held is not None:
        if held["organization_id"] == scope.organization and client_id and held["client_id"] == client_id:
            return held, False
        raise _taken(name)
    row = await domain_row(core.settings, name, scope.organization)
    row.update(feedback_enabled=int(feedback), subdomains_enabled=int(subdomains), client_id=client_id)

    def write(tx: Tx) -> None:
        row["pod_id"] = find_pod(tx, scope, pod)["id"] if pod is not None else scope.pod
        tx.lock(f"domains/{scope.organization}")
        most = domain_limit(tx, core, scope.organization)
        if most and domain_count(tx, scope.organization) >= most:
            raise LimitReached(
                f"the organization has its {most} domains", fix="delete one, or raise limits.domains"
            )
        tx.insert("domain", row)

    try:
        await core.store.write(write)
    except NotUnique:
        raise _taken(name) from None
    if row["proven_at"] is None:
        return row, True
    try:
        await core.mail.add_domain(name)
    except MailServerError:
        await core.store.write(lambda tx: tx.run("DELETE FROM domain WHERE name = ?", name))
        raise
    return row, True


def _taken(name: str) -> Taken:
    return Taken(
        f"the domain {name} is taken",
        field="domain",
        code="domain_taken",
        fix="GET /domains lists your domains; choose another",
    )


async def get(core: Core, scope: Scope, ref: str) -> Row:
    """A domain by name. Raises NotFound, Forbidden."""
    require(scope, "domain_read")
    return await core.store.read(lambda tx: find_domain(tx, scope, ref))


async def list_domains(
    core: Core, scope: Scope, window: Window, *, pod: str | None = None, platform: bool = False
) -> Listing[Row]:
    """The organization's own domains; with ``platform`` the platform's as well, which everybody may use."""
    require(scope, "domain_read")

    def read(tx: Tx) -> Listing[Row]:
        where, args = "organization_id = ?", [scope.organization]
        wanted = find_pod(tx, scope, pod)["id"] if pod is not None else scope.pod
        if wanted is not None:
            where, args = f"{where} AND pod_id = ?", [*args, wanted]
        if platform:
            where = f"({where} OR organization_id IS NULL)"
        return page_of(tx, "domain", where, args, window, id_column="name")

    return await core.store.read(read)


async def update(core: Core, scope: Scope, ref: str, changes: Row) -> Row:
    """Change ``feedback_enabled`` or ``subdomains_enabled``."""
    require(scope, "domain_update")

    def write(tx: Tx) -> Row:
        row = own_domain(scope, find_domain(tx, scope, ref))
        columns = {name: int(bool(value)) for name, value in changes.items()} | {"updated_at": now_us()}
        tx.update("domain", "name", row["name"], columns)
        return {**row, **columns}

    return await core.store.write(write)


async def set_mta_sts(core: Core, scope: Scope, ref: str, mode: Mode) -> Row:
    """Choose the MTA-STS policy of a domain; the platform's own is the operator's. Raises NotFound, Forbidden."""
    require(scope, "domain_update")

    def write(tx: Tx) -> Row:
        row = find_domain(tx, scope, ref)
        columns = {"mta_sts": mode, "updated_at": now_us()}
        tx.update("domain", "name", (row if scope.operator else own_domain(scope, row))["name"], columns)
        return {**row, **columns}

    return await core.store.write(write)


async def assign(core: Core, scope: Scope, ref: str, pod: str | None) -> Row:
    """Give a domain to one pod, or to the whole account. Raises Conflict while another pod has inboxes on it."""
    require(scope, "domain_update")

    def write(tx: Tx) -> Row:
        row = own_domain(scope, find_domain(tx, scope, ref))
        pod_id = find_pod(tx, scope, pod)["id"] if pod is not None else scope.pod
        if pod_id is not None and tx.value(
            "SELECT 1 FROM inbox WHERE domain = ? AND pod_id <> ? LIMIT 1", row["name"], pod_id
        ):
            raise Conflict(
                "another pod has inboxes on this domain", code="domain_in_use", fix="delete its inboxes first"
            )
        columns = {"pod_id": pod_id, "updated_at": now_us()}
        tx.update("domain", "name", row["name"], columns)
        return {**row, **columns}

    return await core.store.write(write)


async def delete(core: Core, scope: Scope, ref: str) -> None:
    """Delete a domain without inboxes. Raises Conflict while it has some."""
    require(scope, "domain_delete")

    def write(tx: Tx) -> tuple[str, list[str]]:
        row = own_domain(scope, find_domain(tx, scope, ref))
        used = unscoped_domain_inbox_count(tx, row["name"])
        if used:
            raise Conflict(
                f"the domain has {used} inboxes", code="domain_in_use", fix="delete its inboxes first"
            )
        tx.run("DELETE FROM dkim_key WHERE domain = ?", row["name"])
        tx.run("DELETE FROM domain WHERE name = ?", row["name"])
        return str(row["name"]), aliases.forget_domain(tx, row["name"])

    name, gone = await core.store.write(write)
    await core.mail.remove_domain(name)
    for address in gone:
        await core.mail.set_alias(address, [])


def find_domain(tx: Tx, scope: Scope, ref: str) -> Row:
    """A domain row by name or number; the platform's own is visible to all. Raises NotFound, Forbidden."""
    number = number_in(ref)
    if number is not None:
        row = tx.row("SELECT * FROM domain WHERE number = ?", number)
    else:
        name = ref.strip().lower().rstrip(".")[:255].replace("\x00", "")
        row = tx.row("SELECT * FROM domain WHERE name = ?", name)
    if row is None or row["organization_id"] not in (None, scope.organization):
        raise NotFound(f"there is no domain {ref[:255]!r}", fix="GET /domains lists the domains of this key")
    if scope.pod and row["pod_id"] not in (None, scope.pod):
        raise Forbidden("this API key does not reach that domain", fix="use a key of the organization")
    return row


def own_domain(scope: Scope, row: Row) -> Row:
    """The row again. Raises Forbidden for the platform's own domain, and to a pod's key for the organization's: its
    inboxes may use that one, but so do those of other pods."""
    if row["organization_id"] is None:
        raise Forbidden("this is the platform's own domain", fix="the operator changes mail.domain instead")
    if scope.pod and row["pod_id"] != scope.pod:
        raise Forbidden(
            "this domain belongs to the whole organization", fix="use a key of the whole organization"
        )
    return row


def find_domain_of(tx: Tx, scope: Scope, ref: str, pod: str | None) -> Row:
    """A domain row as ``find_domain`` answers it; with ``pod`` it must be one of that pod."""
    row = find_domain(tx, scope, ref)
    if pod is not None and row["pod_id"] != find_pod(tx, scope, pod)["id"]:
        raise NotFound(
            f"there is no domain {ref[:255]!r} in this pod", fix="GET /pods/{pod_id}/domains lists them"
        )
    return row


def domain_count(tx: Tx, organization: str) -> int:
    return int(tx.value("SELECT count(*) FROM domain WHERE organization_id = ?", organization))


def domain_limit(tx: Tx, core: Core, organization: str) -> int | None:
    """The organization's own limit, else the setting's; None for none."""
    own = tx.value("SELECT domain_limit FROM organization WHERE id = ?", organization)
    return own if own is not None else core.settings.limits.domains or None
