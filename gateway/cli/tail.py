"""``postern tail``: events as they happen, over the WebSocket."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import click

from gateway.cli.client import Client, refused, unreachable
from gateway.cli.connect import reach
from gateway.cli.failure import FAILED, UNAVAILABLE, Failure
from gateway.cli.options import Place, common
from gateway.cli.output import clean


@click.command(name="tail")
@click.option("--inbox", "inboxes", multiple=True, help="Only this inbox (id or address); may be repeated.")
@click.option("--type", "types", multiple=True, help="Only this event type; may be repeated.")
@click.option("--count", type=click.IntRange(min=1), help="End after this many events.")
@common
def command(place: Place, inboxes: tuple[str, ...], types: tuple[str, ...], count: int | None) -> None:
    """Show events as they happen, one a line (whole with --json), until Ctrl-C.

    Needs a running gateway.
    """

    async def run() -> None:
        async with reach(place, start=False) as client:
            await _listen(place, client, inboxes, types, count)

    asyncio.run(run())


async def _listen(
    place: Place, client: Client, inboxes: tuple[str, ...], types: tuple[str, ...], count: int | None
) -> None:
    wish: dict[str, Any] = {"type": "subscribe"}
    if inboxes:
        wish["inbox_ids"] = list(inboxes)
    if types:
        wish["event_types"] = list(types)
    seen = 0
    try:
        async with client.session.ws_connect(client.url(""), heartbeat=30, max_msg_size=0) as socket:
            await socket.send_str(json.dumps(wish))
            async for frame in socket:
                if frame.type is not aiohttp.WSMsgType.TEXT:
                    continue
                event = json.loads(frame.data)
                if event.get("type") == "error":
                    raise Failure(str(event.get("message") or event.get("name")), FAILED)
                if event.get("type") == "subscribed":
                    click.echo("listening; Ctrl-C ends", err=True)
                    continue
                click.echo(frame.data if place.as_json else line_of(event))
                seen += 1
                if seen == count:
                    return
    except aiohttp.WSServerHandshakeError as error:
        raise refused(
            error.status, {"message": f"the gateway refused the WebSocket: {error.message}"}
        ) from error
    except (aiohttp.ClientError, OSError) as error:
        raise unreachable(client.base_url, error) from error
    raise Failure("the gateway closed the connection", UNAVAILABLE, fix="is it still running?")


def line_of(event: dict[str, Any]) -> str:
    """An event on one line: its type, then what happened to which message."""
    kind = clean(event.get("event_type"))
    body: dict[str, Any] = next(
        (event[one] for one in ("message", "send", "delivery", "bounce", "complaint", "reject", "open", "domain")
         if isinstance(event.get(one), dict)),
        {},
    )  # fmt: skip
    words = [clean(body.get("message_id") or body.get("domain"))]
    if body.get("from"):
        words.append(f"from {clean(body['from'])}")
    if "subject" in body:
        words.append(f"“{clean(body['subject'])}”")
    if body.get("recipients"):
        named = [one.get("address") if isinstance(one, dict) else one for one in body["recipients"]]
        words.append(f"to {clean(named)}")
    return f"{kind}  {' '.join(words)}"
