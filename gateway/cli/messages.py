"""``postern message``: mail in the inboxes, to list, read, move and delete."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from gateway.cli.client import Client, segment
from gateway.cli.connect import reach
from gateway.cli.failure import USAGE, Failure
from gateway.cli.history_view import history_lines
from gateway.cli.mail_query import footer, found, narrowing, pages, read, wanted
from gateway.cli.message_view import message_lines, message_table
from gateway.cli.options import Place, common, pageable
from gateway.cli.output import show
from gateway.cli.screen import Screen
from gateway.cli.visible import visible

_AT_ONCE = 100
_PLACES = {"junk": "spam", "bin": "trash"}


@click.group(name="message")
def command() -> None:
    """List, read, move and delete the mail of inboxes."""


@command.command(name="list")
@narrowing
@click.option("--unread", is_flag=True, help="Only unread mail (as --label unread).")
@pageable
@common
def list_(place: Place, unread: bool, **options: Any) -> None:
    """List messages, sent and received, newest first.

    \b
    Examples:
      postern message list --inbox agent@example.org --unread
      postern message list --from billing --search 'invoice "due date"'
    """
    if unread:
        options["labels"] = (*options["labels"], "unread")
    what = wanted(options, senders="from", recipients="to")

    async def run() -> tuple[dict[str, Any], dict[str, str]]:
        async with reach(place) as client:
            answer = await read(client, "messages", what)
            known = {} if what.inbox else await _addresses(client, answer["messages"])
            return answer, known

    answer, addresses = asyncio.run(run())
    if place.as_json:
        show(place, answer)
        return
    screen = Screen.now(no_pager=place.no_pager)
    if not answer["messages"]:
        click.echo("no messages")
        return
    lines = message_table(screen, answer["messages"], addresses)
    screen.show_list(lines, footer(answer, "messages"))


@command.command(name="show")
@click.argument("message_id", metavar="ID")
@click.option("--inbox", metavar="ADDRESS", help="Its inbox; then ID may be a Message-ID, too.")
@click.option("--html", is_flag=True, help="The HTML as it was sent, instead of the text.")
@click.option("--headers", is_flag=True, help="Every header field.")
@pageable
@common
def shown(place: Place, message_id: str, inbox: str | None, html: bool, headers: bool) -> None:
    """Show a message: from whom, to whom, its text and its attachments. It stays unread.

    \b
    Examples:
      postern message show msg_01kb9dn0q2e8v5x7c3r6t4w1yz
      postern message show --inbox agent@example.org '<abc@mail.example.net>'
    """

    async def run() -> tuple[dict[str, Any], str]:
        async with reach(place) as client:
            message = await found(client, "messages", message_id, inbox)
            known = await _addresses(client, [message])
            return message, known.get(message["inbox_id"], message["inbox_id"])

    message, address = asyncio.run(run())
    if place.as_json:
        show(place, message)
        return
    screen = Screen.now(no_pager=place.no_pager)
    screen.show(message_lines(screen, message, address, html=html, headers=headers))


@command.command()
@click.argument("message_id", metavar="ID")
@click.option("--inbox", metavar="ADDRESS", help="Its inbox; then ID may be a Message-ID, too.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=500, show_default=True, help="How many at the most."
)
@click.option("--page-token", metavar="TOKEN", help="Go on where an earlier list ended.")
@pageable
@common
def history(place: Place, message_id: str, inbox: str | None, limit: int, page_token: str | None) -> None:
    """Tell what happened to a message, oldest first: how it came or was accepted, each delivery attempt with the
    mail server's reply, labels and moves, opens, and the webhooks it was posted to.

    \b
    Example:
      postern message history msg_01kb9dn0q2e8v5x7c3r6t4w1yz
    """

    async def run() -> dict[str, Any]:
        async with reach(place) as client:
            message = await found(client, "messages", message_id, inbox)
            return await pages(client, f"{_path(message)}/history", "history", {}, limit, page_token)

    answer = asyncio.run(run())
    if place.as_json:
        show(place, answer)
        return
    screen = Screen.now(no_pager=place.no_pager)
    screen.show_list(history_lines(screen, answer), footer(answer, "entries"))


@command.command()
@click.argument("message_id", metavar="ID")
@click.option("--inbox", metavar="ADDRESS", help="Its inbox; then ID may be a Message-ID, too.")
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write it there (a new file)."
)
@pageable
@common
def raw(place: Place, message_id: str, inbox: str | None, output: Path | None) -> None:
    """Print the whole message as it is on the mail server (.eml).

    Into a file or a pipe it goes octet for octet; on a terminal, what a terminal would obey is made visible.

    \b
    Examples:
      postern message raw msg_01kb9dn0q2e8v5x7c3r6t4w1yz -o mail.eml
      postern message raw msg_01kb9dn0q2e8v5x7c3r6t4w1yz | less
    """
    if output is not None and output.exists():
        raise Failure(f"{output} is there already", USAGE, fix="give --output another name")

    async def run() -> tuple[str, bytes]:
        async with reach(place) as client:
            message = await found(client, "messages", message_id, inbox)
            link = await client.call("GET", f"{_path(message)}/raw")
            # the link is for the world; the gateway answers it here, too
            return message["message_id"], await client.octets(
                f"/files/{link['download_url'].rpartition('/')[2]}"
            )

    name, octets = asyncio.run(run())
    if output is not None:
        _write_new(output, octets)
        show(
            place,
            {"message_id": name, "size": len(octets), "file": str(output)},
            f"wrote {output} ({len(octets)} octets)",
        )
    elif place.as_json:
        content = base64.b64encode(octets).decode("ascii")
        show(place, {"message_id": name, "size": len(octets), "content": content})
    elif sys.stdout.isatty():
        screen = Screen.now(no_pager=place.no_pager)
        screen.show([visible(octets.decode("utf-8", "replace"), lines=True).rstrip("\n")])
    else:
        sys.stdout.buffer.write(octets)


@command.command()
@click.argument("message_ids", metavar="ID...", nargs=-1, required=True)
@click.argument("folder")
@common
def move(place: Place, message_ids: tuple[str, ...], folder: str) -> None:
    """Move messages to FOLDER: inbox, spam (or junk), trash, archive, sent, or a folder of your own by its name.

    inbox is for mail that was received, sent for mail that was sent: each goes back to where it came from.

    \b
    Examples:
      postern message move msg_01kb9dn0q2e8v5x7c3r6t4w1yz spam
      postern message move ID1 ID2 Receipts/2026
    """
    to = folder.strip().lower()
    to = _PLACES.get(to, to)

    async def run() -> None:
        async with reach(place) as client:
            messages = await _all(client, message_ids)
            if to in ("inbox", "sent"):
                _check_way(messages, to)
                here = [one for message in messages for one in message["labels"] if _is_place(one)]
                change: dict[str, Any] = {"remove_labels": sorted({"spam", "trash", "archive", *here})}
            else:
                label = to if to in ("spam", "trash", "archive") else f"folder:{folder.strip()}"
                change = {"add_labels": [label]}
            answer = await _change(client, messages, change)
        where = to if to in ("inbox", "sent", "spam", "trash", "archive") else folder.strip()
        show(place, answer, f"moved {_count(messages)} to {visible(where)}")

    asyncio.run(run())


@command.command(name="read")
@click.argument("message_ids", metavar="ID...", nargs=-1, required=True)
@common
def read_(place: Place, message_ids: tuple[str, ...]) -> None:
    """Mark messages as read."""
    _relabel(place, message_ids, {"remove_labels": ["unread"]}, "marked {} as read")


@command.command()
@click.argument("message_ids", metavar="ID...", nargs=-1, required=True)
@common
def unread(place: Place, message_ids: tuple[str, ...]) -> None:
    """Mark messages as unread."""
    _relabel(place, message_ids, {"add_labels": ["unread"]}, "marked {} as unread")


@command.command()
@click.argument("message_ids", metavar="ID...", nargs=-1, required=True)
@click.option("--add", multiple=True, metavar="LABEL", help="Label to put on; may be repeated.")
@click.option("--remove", multiple=True, metavar="LABEL", help="Label to take off; may be repeated.")
@common
def label(place: Place, message_ids: tuple[str, ...], add: tuple[str, ...], remove: tuple[str, ...]) -> None:
    """Put labels on messages, or take them off. A mail program shows them as tags; starred is its star.

    \b
    Example:
      postern message label msg_01kb9dn0q2e8v5x7c3r6t4w1yz --add starred --add invoice --remove todo
    """
    if not add and not remove:
        raise Failure("nothing to change", USAGE, fix="give --add LABEL or --remove LABEL")
    _relabel(place, message_ids, {"add_labels": list(add), "remove_labels": list(remove)}, "labelled {}")


@command.command()
@click.argument("message_ids", metavar="ID...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@common
def delete(place: Place, message_ids: tuple[str, ...], yes: bool) -> None:
    """Delete messages for good, from the mail server too. To keep them for now: postern message move ID trash.

    \b
    Example:
      postern message delete msg_01kb9dn0q2e8v5x7c3r6t4w1yz --yes
    """

    async def run() -> None:
        async with reach(place) as client:
            messages = await _all(client, message_ids)
            if not yes:
                for message in messages[:10]:
                    click.echo(f"  {visible(message['from'])}: {visible(message['subject'])}", err=True)
                if len(messages) > 10:
                    click.echo(f"  and {len(messages) - 10} more", err=True)
                click.confirm(f"Delete {_count(messages)} for good?", abort=True, err=True)
            for number, message in enumerate(messages):
                try:
                    await client.call("DELETE", _path(message))
                except Failure as failure:
                    text = f"{failure.message} ({number} of {len(messages)} were deleted before)"
                    raise Failure(text, failure.code, fix=failure.fix) from None
        answer = {"deleted": [one["message_id"] for one in messages]}
        show(place, answer, f"deleted {_count(messages)}")

    asyncio.run(run())


def _relabel(place: Place, message_ids: Sequence[str], change: dict[str, Any], words: str) -> None:
    async def run() -> None:
        async with reach(place) as client:
            messages = await _all(client, message_ids)
            answer = await _change(client, messages, change)
        show(place, answer, words.format(_count(messages)))

    asyncio.run(run())


async def _all(client: Client, message_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Each message that is named, once; nothing is changed yet when one is not there. Raises Failure."""
    messages = [await found(client, "messages", one) for one in dict.fromkeys(message_ids)]
    return list({one["message_id"]: one for one in messages}.values())


async def _change(
    client: Client, messages: Sequence[dict[str, Any]], change: dict[str, Any]
) -> dict[str, Any]:
    by_inbox: dict[str, list[str]] = {}
    for one in messages:
        by_inbox.setdefault(one["inbox_id"], []).append(one["message_id"])
    updates: list[dict[str, Any]] = []
    for inbox, ids in by_inbox.items():
        for start in range(0, len(ids), _AT_ONCE):
            body = {"message_ids": ids[start : start + _AT_ONCE], **change}
            answer = await client.call("POST", f"/inboxes/{segment(inbox)}/messages/batch-update", body)
            updates += answer["updates"]
    return {"count": len(updates), "updates": updates}


def _check_way(messages: Sequence[dict[str, Any]], to: str) -> None:
    wrong = next((one for one in messages if (one["direction"] == "outbound") != (to == "sent")), None)
    if wrong is not None:
        done, other = ("received", "inbox") if to == "sent" else ("sent", "sent")
        raise Failure(
            f"{wrong['message_id']} was {done}: it does not go to {to}", USAGE, fix=f"move it to {other}"
        )


def _is_place(label: str) -> bool:
    return label.startswith("folder:")


async def _addresses(client: Client, messages: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The address of each inbox that occurs; of those this key may not read, none."""

    async def one(inbox: str) -> tuple[str, str] | None:
        try:
            return inbox, (await client.call("GET", f"/inboxes/{segment(inbox)}"))["email_address"]
        except Failure:
            return None

    pairs = await asyncio.gather(*map(one, {one["inbox_id"] for one in messages}))
    return dict(pair for pair in pairs if pair)


def _path(message: dict[str, Any]) -> str:
    return f"/inboxes/{segment(message['inbox_id'])}/messages/{segment(message['message_id'])}"


def _count(messages: Sequence[Any]) -> str:
    return f"{len(messages)} message{'' if len(messages) == 1 else 's'}"


def _write_new(path: Path, octets: bytes) -> None:
    """Mail is private: the file is its owner's alone, and nothing that is there is overwritten."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(octets)
