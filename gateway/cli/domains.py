"""``postern domain``: the organization's own mail domains and the DNS records they need."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from gateway.cli.client import segment
from gateway.cli.failure import FAILED
from gateway.cli.options import Place, common
from gateway.cli.output import clean, show, show_rows
from gateway.cli.reach import reach


@click.group(name="domain")
def command() -> None:
    """Add, verify and list domains."""


@command.command()
@click.argument("domain")
@common
def add(place: Place, domain: str) -> None:
    """Add DOMAIN and show the DNS records to publish."""

    async def run() -> None:
        async with reach(place) as client:
            made = await client.call("POST", "/domains", {"domain": domain})
        show(place, made, *lines_of(made))

    asyncio.run(run())


@command.command()
@click.argument("domain")
@common
@click.pass_context
def verify(context: click.Context, place: Place, domain: str) -> None:
    """Ask DNS for the records of DOMAIN. Exit code 1 while one is missing or wrong."""

    async def run() -> dict[str, Any]:
        async with reach(place) as client:
            found: dict[str, Any] = await client.call("POST", f"/domains/{segment(domain)}/verify")
        show(place, found, *lines_of(found))
        return found

    if asyncio.run(run())["status"] != "VERIFIED":
        context.exit(FAILED)


@command.command(name="list")
@common
def list_(place: Place) -> None:
    """List the domains."""

    async def run() -> None:
        async with reach(place) as client:
            rows = await client.rows("/domains")
        show_rows(
            place, rows, {"DOMAIN": "domain_id", "STATUS": "status", "CREATED": "created_at"}, "no domains"
        )

    asyncio.run(run())


def lines_of(domain: dict[str, Any]) -> list[str]:
    """A domain and its records as lines a zone file could hold."""
    found = [f"{clean(domain['domain_id'])}: {clean(domain['status'])}"]
    for record in domain.get("records") or []:
        priority = f"{record['priority']} " if record.get("priority") is not None else ""
        value = clean(record["value"])
        text = f'"{value}"' if record["type"] == "TXT" else value
        found.append(f"  {clean(record['name'])} {record['type']} {priority}{text}  [{record['status']}]")
    return found
