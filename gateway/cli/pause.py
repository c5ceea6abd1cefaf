"""``postern pause``: let nothing leave of an inbox, a pod, an organization, or at all."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from gateway.cli.client import Client, segment
from gateway.cli.connect import reach
from gateway.cli.failure import USAGE, Failure
from gateway.cli.options import Place, common
from gateway.cli.output import clean, show, show_rows


@click.command(name="pause")
@click.argument("inbox", required=False)
@click.option("--pod", metavar="POD", help="Every inbox of a pod (its id).")
@click.option("--organization", metavar="ORG", help="Every inbox of an organization (its id).")
@click.option("--all", "everything", is_flag=True, help="Everything on this server.")
@click.option("--reason", metavar="TEXT", help="Why; shown to everybody who asks why nothing leaves.")
@click.option("--list", "listed", is_flag=True, help="Show what is paused.")
@common
def command(
    place: Place,
    inbox: str | None,
    pod: str | None,
    organization: str | None,
    everything: bool,
    reason: str | None,
    listed: bool,
) -> None:
    """Let nothing leave of INBOX (id or address), a pod, an organization, or at all, until `postern resume`.

    What is queued waits, new sends are accepted and wait too, mail still comes in. What another server is being given
    at this moment is finished. The time of a pause does not count towards outbox.retry_days.

    \b
    Examples:
      postern pause agent@example.org --reason "it answers itself"
      postern pause --all
      postern pause --list
    """
    if listed:
        if inbox or pod or organization or everything or reason:
            raise Failure("--list goes alone", USAGE, fix="postern pause --list")
        asyncio.run(_list(place))
        return
    asyncio.run(change(place, inbox, pod, organization, everything, {"reason": reason}))


async def change(
    place: Place,
    inbox: str | None,
    pod: str | None,
    organization: str | None,
    everything: bool,
    body: dict[str, Any] | None,
) -> None:
    """Pause what is named (``body``: the request's), or with None resume it, and show the outcome. Raises Failure
    unless exactly one thing is named."""
    if sum(map(bool, (inbox, pod, organization, everything))) != 1:
        raise Failure(
            "name one thing: an inbox, --pod, --organization or --all",
            USAGE,
            fix="postern pause agent@example.org; `postern pause --list` shows what is paused",
        )
    async with reach(place, as_operator=True) as client:
        path = await _path(client, inbox, pod, organization)
        found = await client.call("DELETE" if body is None else "POST", path, body)
    show(place, found, *_lines(inbox or pod or organization or "the server", found))


async def _path(client: Client, inbox: str | None, pod: str | None, organization: str | None) -> str:
    if inbox:
        return f"/inboxes/{segment(inbox)}/pause"
    if pod:
        return f"/pods/{segment(pod)}/pause"
    if not organization:
        return "/server/pause"
    own = (await client.call("GET", "/auth/me"))["organization_id"]
    return "/organizations/pause" if organization == own else f"/organizations/{segment(organization)}/pause"


def _lines(name: str, found: dict[str, Any]) -> list[str]:
    if not found["paused"]:
        return [f"{clean(name)} may send"]
    return [
        f"{clean(name)} is paused"
        + ("" if one["level"] == "inbox" else f", with {_whole(one)}")
        + f", since {clean(one['since'])}"
        + (f": {clean(one['reason'])}" if one["reason"] else "")
        for one in found["pauses"]
    ]


def _whole(one: dict[str, Any]) -> str:
    return "the whole server" if one["level"] == "server" else f"the {one['level']} {clean(one['name'])}"


async def _list(place: Place) -> None:
    async with reach(place, as_operator=True) as client:
        rows = (await client.call("GET", "/pauses"))["pauses"]
    columns = {"PAUSED": "name", "LEVEL": "level", "SINCE": "since", "BY": "paused_by", "REASON": "reason"}
    show_rows(place, rows, columns, "nothing is paused")
