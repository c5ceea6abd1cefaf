"""Aliases (other addresses of an inbox, or of several) and catch-alls (the inbox that gets what no one else does).

The database holds them; the mail server gets each change after it is committed, and all of them at each start
(``bootstrap``). Mail is only ever delivered to inboxes of the same organization: forwarding to the world would need
the sender rewritten (SRS) and makes this server answer for whatever spam it passes on.
"""

from __future__ import annotations

from functools import partial

from gateway.core.context import Core
from gateway.core.domains.domains import find_domain, own_domain
from gateway.core.errors import Forbidden, Invalid, LimitReached, NotFound, Taken
from gateway.core.inboxes.reserved_names import check_reserved
from gateway.core.inboxes.tagged_names import check_tagged
from gateway.core.lookup import find_inbox, require
from gateway.records.aliases import Alias, AliasTargets
from gateway.store.engine import NotUnique
from gateway.store.listing import Listing, Window
from gateway.store.queries import aliases as queries
from gateway.store.queries.aliases import (
    alias_count,
    alias_is_in_reach,
    alias_targets,
    claim_address,
    put_alias,
    remove_alias,
    unscoped_alias,
)
from gateway.store.queries.domains import unscoped_domain
from gateway.store.queries.inboxes import unscoped_inbox_at
from gateway.store.scope import Scope
from gateway.store.transaction import Tx
from mailserver.addresses import fold
from mailserver.base import REFUSED, MailServerError

MAX_TARGETS = 50


async def create(core: Core, scope: Scope, address: str, inboxes: list[str]) -> AliasTargets:
    """A new alias; no inboxes refuse the address. Raises Taken, Invalid, NotFound, Forbidden, LimitReached."""
    return await _put(core, scope, fold_alias(address), inboxes, fresh=True)


async def replace(core: Core, scope: Scope, address: str, inboxes: list[str]) -> AliasTargets:
    """Give an alias exactly these inboxes, making it if need be. Raises as ``create``."""
    return await _put(core, scope, fold_alias(address), inboxes, fresh=False)


async def set_catch_all(core: Core, scope: Scope, domain: str, inbox: str) -> AliasTargets:
    """Give an inbox all mail for unknown addresses of a domain of the organization's own."""
    name = await core.store.read(lambda tx: _whole_domain(tx, scope, domain))
    return await _put(core, scope, f"@{name}", [inbox], fresh=False)


async def get(core: Core, scope: Scope, address: str) -> AliasTargets:
    """One alias. Raises NotFound, Forbidden."""
    require(scope, "inbox_read")
    return await core.store.read(lambda tx: _with_inboxes(tx, _find(tx, scope, _folded_ref(address))))


async def get_catch_all(core: Core, scope: Scope, domain: str) -> AliasTargets:
    """A domain's catch-all. Raises NotFound when it has none."""
    name = await core.store.read(lambda tx: str(find_domain(tx, scope, domain).name))
    return await get(core, scope, f"@{name}")


async def list_aliases(
    core: Core, scope: Scope, window: Window, *, domain: str | None = None, inbox: str | None = None
) -> Listing[AliasTargets]:
    """The aliases inside the reach, catch-alls among them; rows are :class:`AliasTargets`."""
    require(scope, "inbox_read")

    def read(tx: Tx) -> Listing[AliasTargets]:
        name = str(find_domain(tx, scope, domain).name) if domain is not None else None
        inbox_id = find_inbox(tx, scope, inbox).id if inbox is not None else None
        found = queries.list_aliases(tx, scope, window, domain=name, inbox_id=inbox_id)
        return Listing([_with_inboxes(tx, alias) for alias in found.rows], found.total, found.next)

    return await core.store.read(read)


async def delete(core: Core, scope: Scope, address: str) -> None:
    """Take an alias, a refusal or a catch-all (``@domain``) away. Raises NotFound, Forbidden."""
    require(scope, "inbox_update")

    def write(tx: Tx) -> str:
        alias = _find(tx, scope, _folded_ref(address))
        _whole_reach(tx, scope, alias)
        remove_alias(tx, alias.id)
        return alias.address

    await core.mail.set_alias(await core.store.write(write), [])


async def delete_catch_all(core: Core, scope: Scope, domain: str) -> None:
    """Refuse mail for unknown addresses of a domain again. Raises NotFound when it has no catch-all."""
    name = await core.store.read(lambda tx: _whole_domain(tx, scope, domain))
    await delete(core, scope, f"@{name}")


async def _put(core: Core, scope: Scope, address: str, inboxes: list[str], *, fresh: bool) -> AliasTargets:
    require(scope, "inbox_update")
    catch_all = address.startswith("@")
    if catch_all:
        require(scope, "domain_update")
    if scope.inbox:
        raise Forbidden(
            "a key of one inbox cannot make aliases", fix="use a key of the organization or its pod"
        )
    if len(inboxes) > (1 if catch_all else MAX_TARGETS):
        most = "one inbox" if catch_all else f"{MAX_TARGETS} inboxes"
        raise Invalid(f"{address} can lead to {most} at most", field="inbox_ids", fix="name fewer")
    try:
        found = await core.store.write(
            partial(_write, core=core, scope=scope, address=address, inboxes=inboxes, fresh=fresh)
        )
    except NotUnique:
        raise _taken(address) from None
    to = [inbox.address for inbox in found.inboxes]
    await core.mail.set_alias(address, to or [REFUSED])
    return found


def _write(
    tx: Tx, *, core: Core, scope: Scope, address: str, inboxes: list[str], fresh: bool
) -> AliasTargets:
    _check_domain(tx, scope, address)
    check_reserved(core, scope, *address.rsplit("@", 1))
    check_tagged(tx, scope, address, scope.pod)
    claim_address(tx, address)
    held = unscoped_alias(tx, address)
    if held is not None:
        if fresh or held.organization_id != scope.organization:
            raise _taken(address)
        _whole_reach(tx, scope, held)
    elif unscoped_inbox_at(tx, address):
        raise Taken(
            f"{address} is the address of an inbox",
            field="address",
            code="address_taken",
            fix="choose another address, or delete that inbox first",
        )
    else:
        _check_limit(tx, core, scope)
    rows = [find_inbox(tx, scope, ref) for ref in inboxes]
    made = put_alias(tx, scope.organization, address, [row.id for row in rows])
    return _with_inboxes(tx, made)


def _whole_domain(tx: Tx, scope: Scope, domain: str) -> str:
    """The name of a domain all of whose mail the key may turn. Raises NotFound, Forbidden."""
    row = find_domain(tx, scope, domain)
    return (row if row.organization_id is None else own_domain(scope, row)).name


def _check_domain(tx: Tx, scope: Scope, address: str) -> None:
    """Raise unless the organization may have aliases in the domain; a catch-all is for the domain's owner alone."""
    domain = address.rpartition("@")[2]
    row = unscoped_domain(tx, domain)
    if row is None or row.organization_id not in (None, scope.organization):
        raise Invalid(
            f"the domain {domain} is not one of this organization's",
            code="invalid_domain",
            field="address",
            fix=f"add it first (POST /domains, or `postern domain add {domain}`)",
        )
    if row.proven_at is None:
        raise Invalid(
            f"DNS has not shown yet that the domain {domain} is yours",
            code="invalid_domain",
            field="address",
            fix="publish its MX and DKIM records, then have them checked (POST /domains/{domain}/verify, or "
            f"`postern domain verify {domain}`)",
        )
    if scope.pod and row.pod_id not in (None, scope.pod):
        raise Forbidden(f"the domain {domain} belongs to another pod", fix="use a key of the organization")
    if address.startswith("@") and row.organization_id is None and not scope.operator:
        raise Forbidden(
            f"{domain} is the platform's own domain, which others use too",
            fix="add a domain of your own; the operator may use `postern domain catch-all` on the gateway's machine",
        )


def _check_limit(tx: Tx, core: Core, scope: Scope) -> None:
    most = core.settings.limits.aliases
    if most and alias_count(tx, scope.organization) >= most:
        raise LimitReached(
            f"the organization has its {most} aliases",
            code="alias_limit_reached",
            fix="delete one, or raise limits.aliases",
        )


def _find(tx: Tx, scope: Scope, address: str) -> Alias:
    alias = unscoped_alias(tx, address)
    if alias is None or alias.organization_id != scope.organization:
        if address.startswith("@"):
            raise NotFound(
                f"{address[1:256]} has no catch-all", fix="PUT /domains/{domain_id}/catch-all sets one"
            )
        raise NotFound(f"there is no alias {address[:320]!r}", fix="GET /aliases lists them")
    if not alias_is_in_reach(tx, scope, alias):
        raise Forbidden("this API key does not reach that alias", fix="use a key of the organization")
    return alias


def _whole_reach(tx: Tx, scope: Scope, alias: Alias) -> None:
    """An alias is changed by who reaches all its inboxes."""
    for inbox in alias_targets(tx, alias.id):
        find_inbox(tx, scope, inbox.id)


def _with_inboxes(tx: Tx, alias: Alias) -> AliasTargets:
    return AliasTargets(alias, alias_targets(tx, alias.id))


def fold_alias(address: str) -> str:
    """An alias's address in lower case; ``@domain`` too. Raises Invalid."""
    try:
        if address.strip().startswith("@"):
            return fold("x" + address.strip())[1:]
        return fold(address)
    except MailServerError:
        raise Invalid(
            "address is none that mail can be taken for: letters, digits and . _ % + - before the @",
            field="address",
            fix="write sales@example.com",
        ) from None


def _folded_ref(address: str) -> str:
    try:
        return fold_alias(address)
    except Invalid:
        raise NotFound(f"there is no alias {address[:320]!r}", fix="GET /aliases lists them") from None


def _taken(address: str) -> Taken:
    what = "the catch-all" if address.startswith("@") else "the alias"
    return Taken(
        f"{what} {address} exists already",
        field="address",
        code="alias_taken",
        fix="GET /aliases lists yours; PUT /aliases/{address} replaces what one leads to",
    )
