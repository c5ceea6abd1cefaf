"""``postern suppression``: addresses the organization does not write to any more."""

from __future__ import annotations

import asyncio

import click

from gateway.cli.client import segment
from gateway.cli.connect import reach
from gateway.cli.options import Place, common
from gateway.cli.output import clean, show, show_rows

_PATH = "/v1/suppressions"
_TYPES = ("bounce", "complaint", "unsub")


@click.group(name="suppression")
def command() -> None:
    """List, add and remove suppressed addresses: no inbox of the organization can write to them."""


@command.command(name="list")
@click.option("--type", "kind", type=click.Choice(_TYPES), help="Only these.")
@common
def list_(place: Place, kind: str | None) -> None:
    """List the suppressed addresses, newest first."""

    async def run() -> None:
        async with reach(place) as client:
            rows = await client.rows(_PATH + (f"?type={kind}" if kind else ""))
        columns = {"ADDRESS": "address", "TYPE": "type", "REASON": "reason", "SINCE": "createdAt"}
        show_rows(place, rows, columns, "nobody is suppressed")

    asyncio.run(run())


@command.command()
@click.argument("address")
@click.option("--type", "kind", type=click.Choice(_TYPES), default="unsub", show_default=True, help="Why.")
@click.option("--reason", help="In your own words.")
@common
def add(place: Place, address: str, kind: str, reason: str | None) -> None:
    """Suppress ADDRESS."""

    async def run() -> None:
        body = {"address": address, "type": kind, "reason": reason}
        async with reach(place) as client:
            made = await client.call("POST", _PATH, body)
        show(place, made, f"{clean(made['address'])} is suppressed ({made['type']})")

    asyncio.run(run())


@command.command()
@click.argument("address")
@common
def remove(place: Place, address: str) -> None:
    """Take ADDRESS off the list: it may be written to again."""

    async def run() -> None:
        async with reach(place) as client:
            await client.call("DELETE", f"{_PATH}/{segment(address)}")
        show(place, {"address": address, "removed": True}, f"{clean(address)} is not suppressed any more")

    asyncio.run(run())
