"""``postern pod``: groups of inboxes."""

from __future__ import annotations

import asyncio

import click

from gateway.cli import reputation
from gateway.cli.connect import reach
from gateway.cli.options import Place, common
from gateway.cli.output import show_rows


@click.group(name="pod")
def command() -> None:
    """List pods, suspend and reactivate them."""


@command.command(name="list")
@common
def list_(place: Place) -> None:
    """List the pods, the default one first."""

    async def run() -> None:
        async with reach(place) as client:
            rows = await client.rows("/v1/pods")
        columns = {"ID": "id", "NAME": "name", "CLIENT ID": "clientId", "CREATED": "createdAt"}
        show_rows(place, rows, columns, "no pods")

    asyncio.run(run())


reputation.add_to(command, "pod")
