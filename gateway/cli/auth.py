"""``postern auth``: letting programs in that ask for a key with a code."""

from __future__ import annotations

import asyncio

import click

from gateway.cli.client import segment
from gateway.cli.connect import reach
from gateway.cli.options import Place, common
from gateway.cli.output import clean, show


@click.group(name="auth")
def command() -> None:
    """Let in programs that sign in with a code."""


@command.command()
@click.argument("code")
@common
def approve(place: Place, code: str) -> None:
    """Let the program that shows CODE have a key of its own."""

    async def run() -> None:
        async with reach(place, start=False) as client:
            found = await client.call("POST", f"/v1/cli-logins/{segment(code)}/approve")
        show(
            place,
            found,
            f"let in: {found['userCode']}, asked at {found['requestedAt']} by {clean(found['origin'])}",
        )

    asyncio.run(run())
