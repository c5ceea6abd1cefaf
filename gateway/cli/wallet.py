"""``postern wallet``: what organizations may still spend on sending, and topping them up."""

from __future__ import annotations

import asyncio
from decimal import Decimal, InvalidOperation
from typing import Any

import click

from gateway.cli.client import segment
from gateway.cli.connect import reach
from gateway.cli.failure import USAGE, Failure
from gateway.cli.options import Place, common
from gateway.cli.output import clean, show

_BASE = "/api/v1"


@click.group(name="wallet")
def command() -> None:
    """Show and top up the prepaid wallets of organizations (setting wallet.enabled)."""


@command.command(name="show")
@click.argument("organization", required=False)
@common
def show_(place: Place, organization: str | None) -> None:
    """Show the wallet of ORGANIZATION (its id, or an address of its inboxes; default: that of the key)."""

    async def run() -> None:
        path = f"/organizations/{segment(organization)}/wallet" if organization else "/wallet"
        async with reach(place, as_operator=organization is not None) as client:
            found = (await client.call("GET", _BASE + path))["data"]
        show(place, found, *_lines(found))

    asyncio.run(run())


@command.command(context_settings={"ignore_unknown_options": True})
@click.argument("organization")
@click.argument("dollars")
@common
def add(place: Place, organization: str, dollars: str) -> None:
    """Add DOLLARS (such as 5 or 0.25; -1 takes one back) to the wallet of ORGANIZATION."""
    try:
        mills = Decimal(dollars.removeprefix("$")) * 1000
        if not mills.is_finite() or mills != mills.to_integral_value():
            raise InvalidOperation
    except InvalidOperation:
        raise Failure(
            f"{dollars!r} is no amount of dollars", USAGE, fix="write 5, or 0.25; three decimals at most"
        ) from None

    async def run() -> None:
        async with reach(place, as_operator=True) as client:
            path = f"{_BASE}/organizations/{segment(organization)}/wallet"
            found = (await client.call("POST", path, {"mills": int(mills)}))["data"]
        show(place, found, *_lines(found))

    asyncio.run(run())


def _lines(found: dict[str, Any]) -> list[str]:
    return [
        clean(found["organization"]),
        f"balance  {found['balance_dollars']}, {found['emails_remaining']} emails",
        f"spent    {found['spent_mills']} mills",
    ]
