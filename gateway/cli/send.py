"""``postern send``: one message from an inbox."""

from __future__ import annotations

import asyncio
import base64
import sys
from pathlib import Path
from typing import Any

import click

from gateway.cli.client import segment
from gateway.cli.connect import reach
from gateway.cli.options import Place, common
from gateway.cli.output import show


@click.command(name="send")
@click.option("--from", "inbox", required=True, help="The inbox that sends (id or address).")
@click.option("--to", multiple=True, required=True, help="Recipient; may be repeated.")
@click.option("--cc", multiple=True, help="Recipient of a copy; may be repeated.")
@click.option("--bcc", multiple=True, help="Recipient of a blind copy; may be repeated.")
@click.option("--subject", default="", help="Subject.")
@click.option("--text", help="Plain text; - reads it from standard input.")
@click.option("--html", help="HTML.")
@click.option(
    "--attach",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File to attach.",
)
@common
def command(
    place: Place,
    inbox: str,
    to: tuple[str, ...],
    cc: tuple[str, ...],
    bcc: tuple[str, ...],
    subject: str,
    text: str | None,
    html: str | None,
    attach: tuple[Path, ...],
) -> None:
    """Send a message. It is accepted when the command ends, and delivered by the running gateway.

    When no gateway runs, the message is kept and goes out as soon as one does.
    """
    body: dict[str, Any] = {"to": list(to), "subject": subject, "text": text, "html": html}
    if text == "-":
        body["text"] = sys.stdin.read()
    body |= {"cc": list(cc) or None, "bcc": list(bcc) or None}
    body["attachments"] = [_attachment(path) for path in attach] or None
    given = {name: value for name, value in body.items() if value is not None}

    async def run() -> None:
        async with reach(place) as client:
            sent = await client.call("POST", f"/inboxes/{segment(inbox)}/messages/send", given)
        held = f", held until a person approves it: {sent['review_id']}" if "review_id" in sent else ""
        show(place, sent, f"accepted {sent['message_id']}{held}")

    asyncio.run(run())


def _attachment(path: Path) -> dict[str, str]:
    # without a type: the gateway gives it that of its name
    return {"filename": path.name, "content": base64.b64encode(path.read_bytes()).decode("ascii")}
