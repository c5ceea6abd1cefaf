"""``postern audit``: who changed what."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from gateway.cli.connect import reach
from gateway.cli.mail_query import footer, moment, pages
from gateway.cli.moments import full
from gateway.cli.options import Place, common, pageable
from gateway.cli.output import clean, show
from gateway.cli.screen import Screen
from gateway.cli.table import Column, Line, table


@click.command(name="audit")
@click.option("--object", "about", metavar="WHAT", help="Only of this type (inbox, webhook, …), id or name.")
@click.option(
    "--action", metavar="ACTION", help="Only this action (created, changed, deleted, …) or operation."
)
@click.option(
    "--since", metavar="TIME", callback=moment, help="Not older: 2026-11-29, or 3d (ago; min, h, d, w)."
)
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many at the most."
)
@click.option("--page-token", metavar="TOKEN", help="Go on where an earlier list ended.")
@pageable
@common
def command(
    place: Place,
    about: str | None,
    action: str | None,
    since: str | None,
    limit: int,
    page_token: str | None,
) -> None:
    """List who changed what, newest first: inboxes, pods, domains, aliases, keys, webhooks, lists, suppressions.

    On the server it lists the changes of every organization; with another key those of its own. --json has what was
    before and after.

    \b
    Examples:
      postern audit --object agent@example.org
      postern audit --object webhook --action deleted --since 7d
    """
    given = {"object": about, "action": action, "since": since}
    query = {name: value for name, value in given.items() if value}

    async def run() -> dict[str, Any]:
        async with reach(place) as client:
            return await pages(client, "/audit", "audit", query, limit, page_token)

    answer = asyncio.run(run())
    if place.as_json:
        show(place, answer)
        return
    screen = Screen.now(no_pager=place.no_pager)
    if not answer["audit"]:
        click.echo("no entries")
        return
    screen.show_list(_lines(screen, answer["audit"]), footer(answer, "entries"))


def _lines(screen: Screen, entries: list[dict[str, Any]]) -> list[str]:
    columns = [
        Column("WHEN"),
        Column("WHO", least=12, middle=True),
        Column("FROM", least=8, wide=90),
        Column("ACTION"),
        Column("WHAT", least=20, middle=True),
        Column("FIELDS", least=10),
    ]
    rows = []
    for one in entries:
        what = f"{one['object_type']} {one['object_name'] or one['object_id']}"
        fields = one["after"] if one["action"] == "changed" else None
        texts = [
            full(one["created_at"]),
            clean(one["api_key_id"] if one["actor"] == "key" else one["actor"]),
            clean(one["ip_address"]),
            clean(one["action"]),
            clean(what),
            clean(sorted(fields)) if fields else "",
        ]
        rows.append(Line(texts, {0: screen.dim, 2: screen.dim}))
    return table(screen, columns, rows)
