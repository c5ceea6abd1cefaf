"""``postern queue``: accepted mail that is not settled, and Postfix's own queue."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import click

from gateway.cli.client import Client, segment
from gateway.cli.connect import reach
from gateway.cli.failure import REFUSED, USAGE, Failure
from gateway.cli.mail_query import footer, pages
from gateway.cli.options import Place, common, pageable
from gateway.cli.output import show
from gateway.cli.queue_view import queue_lines
from gateway.cli.screen import Screen
from gateway.cli.visible import visible


@click.group(name="queue")
def command() -> None:
    """See what waits to be sent, have it tried now, or give it up."""


@command.command(name="list")
@click.option("--inbox", metavar="ADDRESS", help="Only what this inbox sent (address or id).")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many at the most."
)
@click.option("--page-token", metavar="TOKEN", help="Go on where an earlier list ended.")
@pageable
@common
def list_(place: Place, inbox: str | None, limit: int, page_token: str | None) -> None:
    """List what waits, oldest first: each recipient with its server's last reply, and when it is tried again.

    Where Postfix is the mail server, its queue follows: what it took from the gateway and has not delivered yet.

    \b
    Example:
      postern queue list --inbox agent@example.org
    """

    async def run() -> dict[str, Any]:
        async with reach(place) as client:
            query = {"inbox_id": inbox} if inbox else {}
            answer = await pages(client, "/queue", "queue", query, limit, page_token)
            if inbox is None and page_token is None:
                answer["postfix"] = await _postfix(client)
            return answer

    answer = asyncio.run(run())
    if place.as_json:
        show(place, answer)
        return
    screen = Screen.now(no_pager=place.no_pager)
    screen.show_list(queue_lines(screen, answer), footer(answer, "messages"))


@command.command()
@click.argument("ids", metavar="ID...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Everything that waits, in Postfix's queue, too.")
@click.option("--inbox", metavar="ADDRESS", help="With --all: only what this inbox sent.")
@common
def retry(place: Place, ids: tuple[str, ...], everything: bool, inbox: str | None) -> None:
    """Try waiting messages now. What is being sent already is left alone.

    \b
    Examples:
      postern queue retry msg_01kb9dn0q2e8v5x7c3r6t4w1yz
      postern queue retry --all
    """
    if everything == bool(ids):
        raise Failure(
            "name the messages, or give --all",
            USAGE,
            fix="postern queue retry ID..., or postern queue retry --all",
        )
    if inbox is not None and not everything:
        raise Failure("--inbox goes with --all", USAGE, fix="leave it out")

    async def run() -> None:
        async with reach(place, as_operator=True) as client:
            if everything:
                await _retry_all(place, client, inbox)
                return
            done = [await _retry(client, one) for one in dict.fromkeys(ids)]
        show(place, {"retried": done}, *(f"{one['id']} {_RETRIED[one['sending']]}" for one in done))

    asyncio.run(run())


@command.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@common
def drop(place: Place, ids: tuple[str, ...], yes: bool) -> None:
    """Give up on the recipients that wait. Who has the message keeps it; the sender gets the report of a bounce.

    A message that is being sent, or whose last attempt is in doubt, is not given up. For one in Postfix's queue run
    this as root, on the gateway's machine: Postfix returns it to the sender.

    \b
    Example:
      postern queue drop msg_01kb9dn0q2e8v5x7c3r6t4w1yz
    """

    async def run() -> None:
        dropped: list[dict[str, Any]] = []
        async with reach(place, as_operator=True) as client:
            for one in dict.fromkeys(ids):
                done = await (
                    _drop(client, one, yes) if _ours(one) else _drop_postfix(place, client, one, yes)
                )
                dropped.append(done)
                if not place.as_json:  # at once: the next one may be refused
                    click.echo(f"{done['id']}: gave up on {', '.join(map(visible, done['dropped']))}")
        show(place, {"dropped": dropped})

    asyncio.run(run())


_RETRIED = {
    True: "is being sent right now",
    False: "is tried now; `postern queue list` shows what came of it",
}


def _ours(ref: str) -> bool:
    """Whether this names a message of the gateway's queue, and not one of Postfix's (5 to 20 characters)."""
    return len(ref) >= 26


async def _postfix(client: Client) -> dict[str, Any] | None:
    """Postfix's queue; None for a key that may not see it."""
    try:
        found: dict[str, Any] = await client.call("GET", "/relay-queue")
    except Failure as failure:
        if failure.code == REFUSED:
            return None
        return {"total": None, "messages": [], "error": failure.message}
    return found


async def _retry(client: Client, ref: str) -> dict[str, Any]:
    if not _ours(ref):
        await _known(client.call("POST", f"/relay-queue/{segment(ref)}/retry"), ref)
        return {"id": ref, "sending": False}
    row = await _known(client.call("POST", f"/queue/{segment(ref)}/retry"), ref)
    return {"id": row["id"], "sending": row["sending"]}


async def _retry_all(place: Place, client: Client, inbox: str | None) -> None:
    query = {"inbox_id": inbox} if inbox else None
    count = (await client.call("POST", "/queue/retry", query=query))["count"]
    postfix = (await client.call("POST", "/relay-queue/retry"))["count"] if inbox is None else 0
    words = f"{count} message{' is' if count == 1 else 's are'} tried now"
    if postfix:
        words += f", and Postfix tries its {postfix}"
    show(place, {"count": count, "postfix": postfix}, words)


async def _drop(client: Client, ref: str, yes: bool) -> dict[str, Any]:
    path = f"/queue/{segment(ref)}"
    row = await _known(client.call("GET", path), ref)
    people = [
        one["address"] for one in row["recipients"] if one["state"] == "queued" and one["role"] != "copy"
    ]
    if not yes and people:
        subject = f" “{visible(row['subject'])}”" if row["subject"] else ""
        click.echo(f"{row['id']}{subject}, from {visible(row['inbox'] or '-')}", err=True)
        _confirm(people)
    done: dict[str, Any] = await _known(client.call("POST", f"{path}/drop"), ref)
    return done


async def _drop_postfix(place: Place, client: Client, ref: str, yes: bool) -> dict[str, Any]:
    if place.url:
        raise Failure(
            f"{visible(ref)} is in Postfix's queue, which is changed on its own machine",
            USAGE,
            fix="leave --url out",
        )
    found = await client.call("GET", "/relay-queue")
    row = next((one for one in found["messages"] if one["queue_id"] == ref), None)
    if row is None:
        raise _missing(ref)
    if os.geteuid() != 0:
        raise Failure("only root changes Postfix's queue", REFUSED, fix=f"sudo postern queue drop {ref}")
    people = [one["address"] for one in row["recipients"]]
    if not yes:
        click.echo(f"{ref} in Postfix's queue, from {visible(row['sender'] or '<>')}", err=True)
        _confirm(people)
    from gateway.mail_choice import postfix_settings
    from mailserver.postfix_dovecot.queue import expire

    settings, _ = place.settings()
    await expire(postfix_settings(settings, place.data_dir(settings)).config_dir, ref)
    return {"id": ref, "dropped": people}


def _confirm(people: list[str]) -> None:
    shown = ", ".join(map(visible, people[:5])) + (f" and {len(people) - 5} more" if len(people) > 5 else "")
    click.confirm(f"Give up on {shown}?", abort=True, err=True)


async def _known(call: Any, ref: str) -> Any:
    try:
        return await call
    except Failure as failure:
        if failure.code == REFUSED and "not in" in failure.message and "queue" in failure.message:
            raise _missing(ref) from None
        raise


def _missing(ref: str) -> Failure:
    return Failure(
        f"{visible(ref)[:80]} is not in the queue: it is settled, or it never was",
        REFUSED,
        fix="`postern queue list` shows what waits",
    )
