"""Aliases and catch-alls. The routes are Postern's own; ``postern alias`` uses them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from gateway.api.paging import PageQuery, answer, read_paging
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.api.times import iso_of
from gateway.core.access import ORGANIZATION_OR_POD, changes, reads
from gateway.core.errors import Invalid
from gateway.core.inboxes import aliases
from gateway.records.aliases import AliasTargets

table = Table("aliases")

_Inboxes = Annotated[list[str], msgspec.Meta(description="ids or addresses of the inboxes that get its mail")]
_Refused = Annotated[
    bool, msgspec.Meta(description="refuse mail for the address, even in a domain with a catch-all")
]


class CreateAlias(msgspec.Struct):
    """A new alias."""

    address: str
    inbox_ids: _Inboxes = []
    refused: _Refused = False


class ReplaceAlias(msgspec.Struct):
    """The new targets of an alias."""

    inbox_ids: _Inboxes = []
    refused: _Refused = False


class SetCatchAll(msgspec.Struct):
    """Which inbox gets mail for unknown addresses."""

    inbox_id: Annotated[str, msgspec.Meta(description="id or address of the inbox")]


class AliasQuery(PageQuery):
    domain: str | None = None
    inbox_id: str | None = None


class AliasTargetView(msgspec.Struct):
    """An inbox that gets the mail."""

    inbox_id: str
    email: str


class AliasView(msgspec.Struct):
    """``address`` is ``@domain`` for a catch-all; ``refused``: its mail is refused, and there are no inboxes."""

    address: str
    domain: str
    catch_all: bool
    refused: bool
    inboxes: list[AliasTargetView]
    created_at: str
    updated_at: str


@table.post("/aliases", status=201, access=changes("inbox_update", kinds=ORGANIZATION_OR_POD))
async def create_alias(call: Call[CreateAlias, NoQuery]) -> AliasView:
    """Deliver mail for another address into one or more inboxes, or refuse it."""
    inboxes = _inboxes(call.body.inbox_ids, call.body.refused)
    return alias_view(await aliases.create(call.core, call.scope, call.body.address, inboxes))


@table.get("/aliases", rows=("aliases", AliasView), access=reads("inbox_read"))
async def list_aliases(call: Call[NoBody, AliasQuery]) -> dict[str, Any]:
    """List the aliases and catch-alls, newest first."""
    paging = read_paging(call.query, call.core.secret)
    found = await aliases.list_aliases(
        call.core, call.scope, paging.window, domain=call.query.domain, inbox=call.query.inbox_id
    )
    return answer(call, found, paging, "aliases", alias_view)


@table.get("/aliases/{address}", access=reads("inbox_read"))
async def get_alias(call: Call[NoBody, NoQuery]) -> AliasView:
    """Get an alias; ``@example.com`` is a catch-all."""
    return alias_view(await aliases.get(call.core, call.scope, call.ids["address"]))


@table.put("/aliases/{address}", access=changes("inbox_update", kinds=ORGANIZATION_OR_POD))
async def replace_alias(call: Call[ReplaceAlias, NoQuery]) -> AliasView:
    """Set the targets of an alias; it is created when there is none."""
    inboxes = _inboxes(call.body.inbox_ids, call.body.refused)
    return alias_view(await aliases.replace(call.core, call.scope, call.ids["address"], inboxes))


@table.delete("/aliases/{address}", access=changes("inbox_update", kinds=ORGANIZATION_OR_POD))
async def delete_alias(call: Call[NoBody, NoQuery]) -> None:
    """Delete an alias; its mail is refused from now on, or goes to the catch-all."""
    await aliases.delete(call.core, call.scope, call.ids["address"])


@table.get(
    "/domains/{domain_id}/catch-all", access=reads("domain_read", "inbox_read", kinds=ORGANIZATION_OR_POD)
)
async def get_catch_all(call: Call[NoBody, NoQuery]) -> AliasView:
    """Get the inbox that receives mail for unknown addresses of a domain."""
    return alias_view(await aliases.get_catch_all(call.core, call.scope, call.ids["domain_id"]))


@table.put(
    "/domains/{domain_id}/catch-all",
    access=changes("domain_update", "inbox_update", kinds=ORGANIZATION_OR_POD),
)
async def set_catch_all(call: Call[SetCatchAll, NoQuery]) -> AliasView:
    """Give mail for every unknown address of a domain to an inbox."""
    made = await aliases.set_catch_all(call.core, call.scope, call.ids["domain_id"], call.body.inbox_id)
    return alias_view(made)


@table.delete(
    "/domains/{domain_id}/catch-all",
    access=changes("domain_update", "inbox_update", kinds=ORGANIZATION_OR_POD),
)
async def delete_catch_all(call: Call[NoBody, NoQuery]) -> None:
    """Refuse mail for unknown addresses of a domain again."""
    await aliases.delete_catch_all(call.core, call.scope, call.ids["domain_id"])


def _inboxes(inboxes: list[str], refused: bool) -> list[str]:
    """The inboxes; an empty list needs ``refused``. Raises Invalid."""
    if refused == bool(inboxes):
        raise Invalid(
            "name the inboxes that get the mail, or refuse it",
            field="inbox_ids",
            fix='send {"inbox_ids": ["..."]} or {"refused": true}',
        )
    return inboxes


def alias_view(found: AliasTargets) -> AliasView:
    alias = found.alias
    return AliasView(
        address=alias.address,
        domain=alias.domain,
        catch_all=alias.catch_all,
        refused=alias.refused,
        inboxes=[AliasTargetView(one.address, one.address) for one in found.inboxes],
        created_at=iso_of(alias.created_at),
        updated_at=iso_of(alias.updated_at),
    )
