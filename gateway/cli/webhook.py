"""``postern webhook``: the account's webhook, for every inbox without a URL of its own."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from gateway.cli.connect import reach
from gateway.cli.options import Place, common
from gateway.cli.output import clean, show

_PATH = "/v1/webhook"


@click.group(name="webhook")
def command() -> None:
    """Show, set, clear, rotate and test the account's webhook (OpenMail's events)."""


@command.command(name="show")
@common
def show_(place: Place) -> None:
    """Show the URL and whether posts to it succeed."""

    async def run() -> None:
        async with reach(place) as client:
            held = await client.call("GET", _PATH)
        show(place, held, *_lines(held))

    asyncio.run(run())


@command.command(name="set")
@click.argument("endpoint", metavar="URL")
@common
def set_(place: Place, endpoint: str) -> None:
    """Post events to URL. The first URL ever answers with the signing secret, shown once."""

    async def run() -> None:
        async with reach(place) as client:
            held = await client.call("PUT", _PATH, {"url": endpoint})
        secret = held.get("webhookSecret")
        show(place, held, *_lines(held), *([f"secret        {secret}"] if secret else []))

    asyncio.run(run())


@command.command()
@common
def clear(place: Place) -> None:
    """Take the URL away, and what waits for it. The secret is kept for the next URL."""

    async def run() -> None:
        async with reach(place) as client:
            await client.call("DELETE", _PATH)
        show(place, {"url": None}, "no webhook")

    asyncio.run(run())


@command.command()
@common
def rotate(place: Place) -> None:
    """Make a new signing secret, shown once; the old one is dead at once."""

    async def run() -> None:
        async with reach(place) as client:
            made = await client.call("POST", f"{_PATH}/rotate-secret")
        show(place, made, f"secret        {made['webhookSecret']}")

    asyncio.run(run())


@command.command()
@common
def test(place: Place) -> None:
    """Post a signed test event to the URL now, once."""

    async def run() -> None:
        async with reach(place) as client:
            made = await client.call("POST", f"{_PATH}/test")
        show(place, made, clean(made["message"]))

    asyncio.run(run())


def _lines(held: dict[str, Any]) -> list[str]:
    if held["url"] is None:
        return ["no webhook: `postern webhook set URL`"]
    return [
        f"url           {clean(held['url'])}",
        f"last success  {clean(held['lastSuccessAt'] or 'never')}",
        f"failing since {clean(held['failingSince'] or '-')}",
    ]
