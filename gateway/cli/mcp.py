"""``postern mcp``: MCP over standard input and output, for Claude Code, Cursor and others that start a program."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

import click

from gateway.cli.connect import located
from gateway.cli.failure import REFUSED, Failure
from gateway.cli.options import Place, common

_BASES = ("/mcp", "/api/v1", "/api/v0", "/v1")


@click.command(name="mcp")
@click.option(
    "--inbox",
    envvar=["POSTERN_INBOX", "MAILBOXKIT_INBOX_ID"],
    help="The inbox that is meant where a call names none (id, number or address).",
)
@common
def command(place: Place, inbox: str | None) -> None:
    """Offer the mailbox tools to an MCP client over standard input and output.

    Talks to the running gateway of --data, or to the one at --url (POSTERN_URL) with --key (POSTERN_KEY).
    MAILBOXKIT_BASE_URL, MAILBOXKIT_API_KEY and MAILBOXKIT_INBOX_ID do as well.
    """
    place.url = _base(place.url or os.environ.get("MAILBOXKIT_BASE_URL") or "") or None
    place.key = place.key or os.environ.get("MAILBOXKIT_API_KEY") or None
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)

    async def run() -> None:
        from gateway.mcp.bridge import Gateway, NoGateway, bridge

        async with located(place, start=False) as found:
            try:
                await bridge(Gateway(found.base_url, found.api_key, inbox, found.unix_socket))
            except NoGateway as error:
                raise Failure(str(error), REFUSED, fix="check POSTERN_URL and POSTERN_KEY") from error

    asyncio.run(run())


def _base(url: str) -> str:
    """The gateway's own URL: people give the one of an API as well."""
    url = url.rstrip("/")
    for one in _BASES:
        url = url.removesuffix(one)
    return url
