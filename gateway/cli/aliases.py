"""``postern alias``: other addresses of inboxes."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from gateway.cli.client import segment
from gateway.cli.connect import reach
from gateway.cli.failure import USAGE, Failure
from gateway.cli.options import Place, common
from gateway.cli.output import clean, show, show_rows


@click.group(name="alias")
def command() -> None:
    """Give inboxes further addresses. A domain's catch-all: `postern domain catch-all`."""


@command.command()
@click.argument("address")
@click.argument("inboxes", nargs=-1, metavar="INBOX...")
@click.option("--refuse", is_flag=True, help="Take no mail for ADDRESS, even where a catch-all would.")
@common
def add(place: Place, address: str, inboxes: tuple[str, ...], refuse: bool) -> None:
    """Deliver mail for ADDRESS into each INBOX (id or address); an alias there is leads to these from now on."""
    if refuse == bool(inboxes):
        raise Failure(
            "name the inboxes that get the mail, or refuse it",
            USAGE,
            fix="postern alias add ADDRESS INBOX..., or postern alias add --refuse ADDRESS",
        )

    async def run() -> None:
        body = {"inbox_ids": list(inboxes), "refused": refuse}
        async with reach(place) as client:
            made = await client.call("PUT", f"/aliases/{segment(address)}", body)
        show(place, made, f"{clean(made['address'])}: {targets_of(made)}")

    asyncio.run(run())


@command.command(name="list")
@click.option("--domain", help="Those in this domain only.")
@click.option("--inbox", help="Those that lead to this inbox only (id or address).")
@common
def list_(place: Place, domain: str | None, inbox: str | None) -> None:
    """List the aliases; @domain is a catch-all."""

    async def run() -> None:
        query = {name: value for name, value in (("domain", domain), ("inbox_id", inbox)) if value}
        async with reach(place) as client:
            rows = await client.rows("/aliases", query=query)
        shown = rows if place.as_json else [{**row, "to": targets_of(row)} for row in rows]
        show_rows(place, shown, {"ADDRESS": "address", "TO": "to", "CREATED": "created_at"}, "no aliases")

    asyncio.run(run())


@command.command()
@click.argument("address")
@common
def remove(place: Place, address: str) -> None:
    """Take the alias ADDRESS away. Its mail is refused from now on, or goes to the domain's catch-all."""

    async def run() -> None:
        async with reach(place) as client:
            await client.call("DELETE", f"/aliases/{segment(address)}")
        show(place, {"address": address, "removed": True}, f"{clean(address)} is removed")

    asyncio.run(run())


def targets_of(alias: dict[str, Any]) -> str:
    """Where an alias leads, as text."""
    return ", ".join(clean(one["email"]) for one in alias["inboxes"]) or "refused"
