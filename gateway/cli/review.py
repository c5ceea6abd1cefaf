"""``postern review``: messages that are held until a person decides about them."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from gateway.cli.client import segment
from gateway.cli.connect import reach
from gateway.cli.mail_query import footer, pages
from gateway.cli.options import Place, common, pageable
from gateway.cli.output import show
from gateway.cli.review_view import review_lines, review_table
from gateway.cli.screen import Screen
from gateway.cli.visible import visible

_STATES = ("pending", "approved", "rejected", "expired")


@click.group(name="review")
def command() -> None:
    """See the messages that are held for a decision; approve or reject them."""


@command.command(name="list")
@click.option("--inbox", metavar="ADDRESS", help="Only what this inbox sent (address or id).")
@click.option(
    "--state", type=click.Choice(_STATES), default="pending", show_default=True, help="Only in this state."
)
@click.option("--all", "everything", is_flag=True, help="In every state.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many at the most."
)
@click.option("--page-token", metavar="TOKEN", help="Go on where an earlier list ended.")
@pageable
@common
def list_(
    place: Place, inbox: str | None, state: str, everything: bool, limit: int, page_token: str | None
) -> None:
    """List the messages that wait for a decision, newest first.

    \b
    Example:
      postern review list --inbox agent@example.org
    """

    async def run() -> dict[str, Any]:
        async with reach(place) as client:
            query = {} if everything else {"state": state}
            query |= {"inbox_id": inbox} if inbox else {}
            return await pages(client, "/reviews", "reviews", query, limit, page_token)

    answer = asyncio.run(run())
    if place.as_json:
        show(place, answer)
        return
    screen = Screen.now(no_pager=place.no_pager)
    screen.show_list(review_table(screen, answer["reviews"]), footer(answer, "reviews"))


@command.command(name="show")
@click.argument("review_id", metavar="ID")
@click.option("--html", is_flag=True, help="Show the HTML itself, not what a reader of it sees.")
@pageable
@common
def show_(place: Place, review_id: str, html: bool) -> None:
    """Show a held message as it would be sent: recipients, text, what its HTML shows, attachments."""

    async def run() -> dict[str, Any]:
        async with reach(place) as client:
            found: dict[str, Any] = await client.call("GET", f"/reviews/{segment(review_id)}")
            return found

    found = asyncio.run(run())
    if place.as_json:
        show(place, found)
        return
    screen = Screen.now(no_pager=place.no_pager)
    screen.show(review_lines(screen, found, html=html))


@command.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--digest", help="Only if the message is still the one with this digest; with one ID.")
@common
def approve(place: Place, ids: tuple[str, ...], digest: str | None) -> None:
    """Send held messages, exactly as they are. On the gateway's machine this is the operator's decision.

    \b
    Example:
      postern review approve rev_01kb9dn0q2e8v5x7c3r6t4w1yz
    """
    if digest is not None and len(ids) > 1:
        raise click.UsageError("--digest goes with one ID")
    _decide(place, ids, "approve", {} if digest is None else {"digest": digest})


@command.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--reason", help="Why, for who sent it.")
@common
def reject(place: Place, ids: tuple[str, ...], reason: str | None) -> None:
    """Never send held messages. The reason is in the events that the agent gets.

    \b
    Example:
      postern review reject rev_01kb9dn0q2e8v5x7c3r6t4w1yz --reason "Not to customers."
    """
    _decide(place, ids, "reject", {} if reason is None else {"reason": reason})


@command.command()
@click.argument("review_id", metavar="ID")
@click.option("--to", multiple=True, help="Recipient, instead of those it has; may be repeated.")
@click.option("--cc", multiple=True, help="Recipient of a copy, likewise; may be repeated.")
@click.option("--bcc", multiple=True, help="Recipient of a blind copy, likewise; may be repeated.")
@click.option("--subject", help="Subject.")
@click.option("--text", help="Plain text, instead of its text and HTML; - reads it from standard input.")
@click.option("--html", help="HTML; without --text it is the whole body.")
@common
def edit(
    place: Place,
    review_id: str,
    to: tuple[str, ...],
    cc: tuple[str, ...],
    bcc: tuple[str, ...],
    subject: str | None,
    text: str | None,
    html: str | None,
) -> None:
    """Change a held message. What is not given stays, and the message stays held.

    \b
    Example:
      postern review edit rev_01kb9dn0q2e8v5x7c3r6t4w1yz --subject "Your order 1042"
    """
    body: dict[str, Any] = {"to": list(to) or None, "cc": list(cc) or None, "bcc": list(bcc) or None}
    body |= {"subject": subject, "text": sys.stdin.read() if text == "-" else text, "html": html}
    given = {name: value for name, value in body.items() if value is not None}

    async def run() -> None:
        async with reach(place, as_operator=True) as client:
            found = await client.call("POST", f"/reviews/{segment(review_id)}/edit", given)
        changed = ", ".join(found["edits"][-1]["after"])
        show(place, found, f"{found['review_id']}: changed {changed}; digest {found['digest']}")

    asyncio.run(run())


def _decide(place: Place, ids: tuple[str, ...], how: str, body: dict[str, Any]) -> None:
    async def run() -> None:
        done: list[dict[str, Any]] = []
        async with reach(place, as_operator=True) as client:
            for one in dict.fromkeys(ids):
                found = await client.call("POST", f"/reviews/{segment(one)}/{how}", body)
                done.append(found)
                if not place.as_json:  # at once: the next one may be refused
                    people = ", ".join(found["to"] + found["cc"] + found["bcc"])
                    click.echo(f"{found['review_id']}: {found['state']}, to {visible(people) or '-'}")
        show(place, {"reviews": done})

    asyncio.run(run())
