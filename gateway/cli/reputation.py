"""``postern inbox|pod suspend`` and ``reactivate``: what only the operator may do, in any organization."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import click

from gateway.cli.client import segment
from gateway.cli.connect import reach
from gateway.cli.options import Place, common
from gateway.cli.output import clean, show
from gateway.records.suspension import REASONS

_PLURAL = {"inbox": "inboxes", "pod": "pods"}


def add_to(group: click.Group, kind: Literal["inbox", "pod"]) -> None:
    """Give the command group of inboxes or pods both commands."""
    named = "INBOX (id or address)" if kind == "inbox" else "POD (id), with every inbox in it,"

    @group.command(
        help=f"Keep {named} from sending until it is reactivated. It still receives; webhooks get an event."
    )
    @click.argument(kind)
    @click.option(
        "--reason", type=click.Choice(REASONS), default="manual_review", show_default=True, help="Why."
    )
    @common
    def suspend(place: Place, reason: str, **names: str) -> None:
        _change(place, kind, names[kind], "suspend", {"reason": reason})

    @group.command(help=f"Let {named} send again. Webhooks get an event.")
    @click.argument(kind)
    @common
    def reactivate(place: Place, **names: str) -> None:
        _change(place, kind, names[kind], "reactivate", None)


def _change(place: Place, kind: str, name: str, what: str, body: dict[str, Any] | None) -> None:
    async def run() -> None:
        async with reach(place, as_operator=True) as client:
            made = await client.call("POST", f"/v1/{_PLURAL[kind]}/{segment(name)}/{what}", body)
        words = f"suspended: {made['reason']}" if made["suspended"] else "may send"
        show(place, made, f"{clean(made['id'])}  {words}")

    asyncio.run(run())
