"""``postern inbox``: inboxes and the passwords of the people who open them in a mail client."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from gateway.cli import reputation
from gateway.cli.client import segment
from gateway.cli.connect import reach
from gateway.cli.options import Place, common
from gateway.cli.output import clean, show, show_rows
from gateway.cli.sizes import octets_of, size_of
from gateway.cli.username import username_and_domain


@click.group(name="inbox")
def command() -> None:
    """Make, list and delete inboxes, suspend and reactivate them, limit their size."""


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
        show(place, made, f"{made['email_address']}  {made['postern_id']}")

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
            "ID": "postern_id",
            "NAME": "display_name",
            "QUOTA": "quota",
            "CREATED": "created_at",
        }
        shown = [{**row, "quota": _own_quota(row.get("quota_bytes"))} for row in rows]
        empty = "no inboxes yet: `postern inbox create NAME`"
        show_rows(place, rows if place.as_json else shown, columns, empty)

    asyncio.run(run())


@command.command(name="show")
@click.argument("inbox")
@common
def show_(place: Place, inbox: str) -> None:
    """Show INBOX (id or address), with how much mail it holds and may hold."""

    async def run() -> None:
        async with reach(place) as client:
            found: dict[str, Any] = await client.call("GET", f"/inboxes/{segment(inbox)}")
            quota: dict[str, Any] = await client.call("GET", f"/inboxes/{segment(inbox)}/quota")
        show(
            place,
            {**found, "quota": quota},
            f"address   {clean(found['email_address'])}",
            f"id        {found['postern_id']}",
            f"pod       {found['pod_id']}",
            f"name      {clean(found['display_name'])}",
            f"status    {found['status']}",
            f"created   {found['created_at']}",
            f"storage   {_storage(quota)}",
        )

    asyncio.run(run())


@command.command()
@click.argument("inbox")
@click.argument("size", required=False, metavar="[SIZE|none|default]")
@common
def quota(place: Place, inbox: str, size: str | None) -> None:
    """Set how much mail INBOX (id or address) may hold; without SIZE, show it.

    SIZE is such as 500M or 2G (powers of 1024); none is no limit, default the server's (setting mail.quota). It holds
    from the next delivery on: a full mailbox refuses mail with 552 5.2.2.
    """
    octets = None if size is None or size == "default" else 0 if size == "none" else octets_of(size)

    async def run() -> None:
        path = f"/inboxes/{segment(inbox)}/quota"
        async with reach(place) as client:
            if size is None:
                found = await client.call("GET", path)
            else:
                found = await client.call("PUT", path, {"quota_bytes": octets})
        show(place, found, f"{clean(found['email'])}  {_storage(found)}")

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


def _own_quota(octets: int | None) -> str:
    return "default" if octets is None else size_of(octets) if octets else "none"


def _storage(quota: dict[str, Any]) -> str:
    """How much of how much, and whose limit that is."""
    used, limit = quota["used_bytes"], quota["limit_bytes"]
    if not limit:
        words = f"{size_of(used)} used, no limit"
    else:
        words = f"{size_of(used)} of {size_of(limit)} used ({100 * used / limit:.0f} %)"
    if limit and used >= limit:
        words += ", full: no more mail is accepted"
    return f"{words}  (quota: {_own_quota(quota['quota_bytes'])})"


def _where(endpoint: dict[str, Any]) -> str:
    tls = endpoint.get("tls") or "none"
    return f"{endpoint['host']}, port {endpoint['port']}" + (f", TLS: {tls}" if tls != "none" else "")
