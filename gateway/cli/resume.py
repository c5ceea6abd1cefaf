"""``postern resume``: let what is paused send again."""

from __future__ import annotations

import asyncio

import click

from gateway.cli.options import Place, common
from gateway.cli.pause import change


@click.command(name="resume")
@click.argument("inbox", required=False)
@click.option("--pod", metavar="POD", help="A pod (its id).")
@click.option("--organization", metavar="ORG", help="An organization (its id).")
@click.option("--all", "everything", is_flag=True, help="The server; what else is paused stays so.")
@common
def command(
    place: Place, inbox: str | None, pod: str | None, organization: str | None, everything: bool
) -> None:
    """End the pause of INBOX (id or address), a pod, an organization, or the server.

    The first hundred messages that waited are sent at once, the others fifty in a second, so that they hold up nobody.

    \b
    Examples:
      postern resume agent@example.org
      postern resume --all
    """
    asyncio.run(change(place, inbox, pod, organization, everything, None))
