"""``postern inbox``: inboxes and the passwords of the people who open them in a mail client."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from gateway.cli import reputation
from gateway.cli.client import segment
from gateway.cli.options import Place, common
from gateway.cli.output import show, show_rows
from gateway.cli.reach import reach
from gateway.cli.username import username_and_domain


@click.group(name="inbox")
def command() -> None:
    """Make, list and delete inboxes, suspend and reactivate them."""


@command.command()
@click.argument("name", required=False, metavar="[USERNAME|ADDRESS]")
@click.option(
    "--domain", help="Domain of the address, when the argument does not name one (default: the platform's)."
)
@click.option("--display-name", help="Name beside the address in From.")
@click.option("--client-id", help="Your own id; the same id answers the same inbox.")
@common
def create(
    place: Place, name: str | None, domain: str | None, display_name: str | None, client_id: str | None
) -> None:
    """Make an inbox: bot is bot@ the platform's domain, bot@second.example is on a domain that was added.

    Without a name, one is made up.
    """
    username, domain = username_and_domain(name, domain)

    async def run() -> None:
        body = {
            "username": username,
            "domain": domain,
            "display_name": display_name,
            "client_id": client_id,
        }
        given = {name: value for name, value in body.items() if value is not None}
        async with reach(place) as client:
            made = await client.call("POST", "/inboxes", given or None)
        show(place, made, f"{made['email_address']}  {made['inbox_id']}")

    asyncio.run(run())


@command.command(name="list")
@common
def list_(place: Place) -> None:
    """List the inboxes, newest first."""

    async def run() -> None:
        async with reach(place) as client:
            rows = await client.rows("/inboxes")
        columns = {
            "ADDRESS": "email_address",
            "ID": "inbox_id",
            "NAME": "display_name",
            "CREATED": "created_at",
        }
        show_rows(place, rows, columns, "no inboxes yet: `postern inbox create NAME`")

    asyncio.run(run())


@command.command()
@click.argument("inbox")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common
def delete(place: Place, inbox: str, yes: bool) -> None:
    """Delete INBOX (id or address) and every mail in it, for good."""

    async def run() -> None:
        async with reach(place) as client:
            found: dict[str, Any] = await client.call("GET", f"/inboxes/{segment(inbox)}")
            if not yes:
                click.confirm(f"Delete {found['email_address']} and all its mail?", abort=True, err=True)
            await client.call("DELETE", f"/inboxes/{segment(found['inbox_id'])}")
        show(place, {"inbox_id": found["inbox_id"], "deleted": True}, f"deleted {found['email_address']}")

    asyncio.run(run())


@command.command()
@click.argument("inbox")
@common
def password(place: Place, inbox: str) -> None:
    """Give INBOX a new password for mail clients; shown once, with the settings to type in."""

    async def run() -> None:
        async with reach(place) as client:
            made = await client.call("POST", f"/inboxes/{segment(inbox)}/credentials")
        show(
            place,
            made,
            f"user      {made['username']}",
            f"password  {made['password']}",
            f"IMAP      {_where(made['imap'])}",
            f"SMTP      {_where(made['smtp'])}",
        )

    asyncio.run(run())


reputation.add_to(command, "inbox")


def _where(endpoint: dict[str, Any]) -> str:
    tls = endpoint.get("tls") or "none"
    return f"{endpoint['host']}, port {endpoint['port']}" + (f", TLS: {tls}" if tls != "none" else "")
