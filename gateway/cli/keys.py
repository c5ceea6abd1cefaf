"""``postern key``: API keys."""

from __future__ import annotations

import asyncio

import click

from gateway.cli.client import segment
from gateway.cli.connect import reach
from gateway.cli.options import Place, common
from gateway.cli.output import show, show_rows


@click.group(name="key")
def command() -> None:
    """Make, list and revoke API keys."""


@command.command()
@click.argument("name")
@click.option("--inbox", help="Only this inbox (id or address).")
@click.option("--pod", help="Only this pod.")
@click.option("--permission", "permissions", multiple=True, help="Only this permission; may be repeated.")
@common
def create(place: Place, name: str, inbox: str | None, pod: str | None, permissions: tuple[str, ...]) -> None:
    """Make a key called NAME. It is shown once and cannot be shown again."""

    async def run() -> None:
        body = {"name": name} | ({"permissions": dict.fromkeys(permissions, True)} if permissions else {})
        where = f"/inboxes/{segment(inbox)}" if inbox else f"/pods/{segment(pod)}" if pod else ""
        async with reach(place) as client:
            made = await client.call("POST", f"{where}/api-keys", body)
        show(place, made, made["key"], "Keep it: it is not shown again.")

    asyncio.run(run())


@command.command(name="list")
@common
def list_(place: Place) -> None:
    """List the keys (never the secrets)."""

    async def run() -> None:
        async with reach(place) as client:
            rows = await client.rows("/api-keys")
        columns = {
            "ID": "key_id",
            "NAME": "name",
            "PREFIX": "prefix",
            "USED": "used_at",
            "CREATED": "created_at",
        }
        show_rows(place, rows, columns, "no keys")

    asyncio.run(run())


@command.command()
@click.argument("key_id")
@common
def revoke(place: Place, key_id: str) -> None:
    """Revoke the key KEY_ID: it is refused from now on."""

    async def run() -> None:
        async with reach(place) as client:
            await client.call("DELETE", f"/api-keys/{segment(key_id)}")
        show(place, {"key_id": key_id, "revoked": True}, f"revoked {key_id}")

    asyncio.run(run())
