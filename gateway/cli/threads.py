"""``postern thread``: conversations."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from gateway.cli.client import segment
from gateway.cli.connect import reach
from gateway.cli.failure import Failure
from gateway.cli.mail_query import footer, found, narrowing, read, wanted
from gateway.cli.message_view import thread_lines, thread_table
from gateway.cli.options import Place, common, pageable
from gateway.cli.output import show
from gateway.cli.screen import Screen


@click.group(name="thread")
def command() -> None:
    """List and read conversations."""


@command.command(name="list")
@narrowing
@pageable
@common
def list_(place: Place, **options: Any) -> None:
    """List threads, latest activity first.

    \b
    Example:
      postern thread list --inbox agent@example.org --label unread
    """
    what = wanted(options, senders="senders", recipients="recipients")

    async def run() -> dict[str, Any]:
        async with reach(place) as client:
            return await read(client, "threads", what)

    answer = asyncio.run(run())
    if place.as_json:
        show(place, answer)
        return
    screen = Screen.now(no_pager=place.no_pager)
    if not answer["threads"]:
        click.echo("no threads")
        return
    screen.show_list(thread_table(screen, answer["threads"]), footer(answer, "threads"))


@command.command(name="show")
@click.argument("thread_id", metavar="ID")
@pageable
@common
def shown(place: Place, thread_id: str) -> None:
    """Show a thread: each message with what it says that is new, oldest first. They stay unread.

    \b
    Example:
      postern thread show thr_01kb9dn0q2e8v5x7c3r6t4w1yz
    """

    async def run() -> tuple[dict[str, Any], str]:
        async with reach(place) as client:
            thread = await found(client, "threads", thread_id)
            try:
                inbox = await client.call("GET", f"/inboxes/{segment(thread['inbox_id'])}")
            except Failure:
                return thread, thread["inbox_id"]
            return thread, inbox["email_address"]

    thread, address = asyncio.run(run())
    if place.as_json:
        show(place, thread)
        return
    screen = Screen.now(no_pager=place.no_pager)
    screen.show(thread_lines(screen, thread, address))
