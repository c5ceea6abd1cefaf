"""``postern usage``: what each inbox received, sent and holds."""

from __future__ import annotations

import asyncio

import click

from gateway.cli.connect import reach
from gateway.cli.options import Place, common
from gateway.cli.output import show, show_rows


@click.command(name="usage")
@click.option("--from", "start", help="ISO 8601, included (default: 30 days before --to).")
@click.option("--to", "end", help="ISO 8601, excluded (default: now); 92 days at most.")
@common
def command(place: Place, start: str | None, end: str | None) -> None:
    """Messages in and out and attachment octets of a time, and what is stored now, by inbox."""

    async def run() -> None:
        query = {name: value for name, value in (("from", start), ("to", end)) if value is not None}
        async with reach(place) as client:
            found = await client.call("GET", "/v1/usage", query=query)
        if place.as_json:
            show(place, found)
            return
        columns = {
            "ADDRESS": "address",
            "IN": "inbound",
            "OUT": "outbound",
            "ATTACHED": "attachmentBytes",
            "STORED": "storedBytes",
        }
        show_rows(
            place, [*found["inboxes"], {"address": "together", **found["totals"]}], columns, "no inboxes"
        )

    asyncio.run(run())
