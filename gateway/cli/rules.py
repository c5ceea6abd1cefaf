"""``postern rule``: whose mail comes through, for the account or one inbox."""

from __future__ import annotations

import asyncio

import click

from gateway.cli.client import segment
from gateway.cli.connect import reach
from gateway.cli.options import Place, common
from gateway.cli.output import clean, show, show_rows

_PATH = "/v1/sender-rules"
_inbox = click.option("--inbox", help="Of this inbox (id or address); without it, of the account.")


@click.group(name="rule")
def command() -> None:
    """Block and allow senders. A block always wins."""


@command.command()
@click.argument("action", type=click.Choice(["block", "allow"]))
@click.argument("sender")
@click.option("--reason", help="Note for yourself.")
@_inbox
@common
def add(place: Place, action: str, sender: str, reason: str | None, inbox: str | None) -> None:
    """Block or allow SENDER: an address, a domain, or *.DOMAIN for it and all below it."""

    async def run() -> None:
        body = {"action": action, "sender": sender, "inboxId": inbox, "reason": reason}
        async with reach(place) as client:
            made = await client.call("POST", _PATH, body)
        show(place, made, f"{made['action']} {clean(made['sender'])}  {made['id']}")

    asyncio.run(run())


@command.command(name="list")
@_inbox
@common
def list_(place: Place, inbox: str | None) -> None:
    """List the rules, newest first."""

    async def run() -> None:
        path = _PATH + (f"?inboxId={segment(inbox)}" if inbox else "")
        async with reach(place) as client:
            rows = await client.rows(path)
        columns = {"ACTION": "action", "SENDER": "sender", "INBOX": "inboxId", "ID": "id", "REASON": "reason"}
        show_rows(place, rows, columns, "no rules: everybody may write")

    asyncio.run(run())


@command.command()
@click.argument("rule")
@common
def remove(place: Place, rule: str) -> None:
    """Take RULE (its id) away."""

    async def run() -> None:
        async with reach(place) as client:
            await client.call("DELETE", f"{_PATH}/{segment(rule)}")
        show(place, {"id": rule, "removed": True}, f"removed {clean(rule)}")

    asyncio.run(run())


@command.command()
@click.argument("mode", type=click.Choice(["none", "allowlist"]), required=False)
@_inbox
@common
def mode(place: Place, mode: str | None, inbox: str | None) -> None:
    """Show the mode, or set it: allowlist lets in only whom an allow rule names, none everybody not blocked."""

    async def run() -> None:
        path = f"{_PATH}/mode"
        async with reach(place) as client:
            if mode is not None:
                found = await client.call("PUT", path, {"mode": mode, "inboxId": inbox})
            else:
                found = await client.call("GET", path, query={"inboxId": inbox} if inbox else None)
        show(place, found, found["mode"])

    asyncio.run(run())
