"""From ``--data`` to the mailboxes of the gateway that runs there, or of one started for the command."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from gateway.cli.client import Client
from gateway.cli.connect import reach
from gateway.cli.failure import USAGE, Failure
from gateway.cli.options import Place
from gateway.transfer.all_mailboxes import Mailroom
from mailserver.base import Endpoint, ImapLogin


@asynccontextmanager
async def mailroom(
    place: Place, addresses: Sequence[str] | None = None
) -> AsyncIterator[tuple[Client, Mailroom]]:
    """A client of the gateway, and the mailboxes at ``addresses`` (None: all). Raises Failure."""
    if place.url:
        raise Failure("this works on the gateway's own machine", USAGE, fix="leave --url out, give --data")
    async with reach(place, as_operator=True) as client:
        body = {"addresses": list(addresses)} if addresses is not None else {}
        answer = await client.call("POST", "/operator/imap", body)
        room = Mailroom({address: _login(found) for address, found in answer["logins"].items()})
        try:
            yield client, room
        finally:
            await room.close()


def _login(found: dict[str, str]) -> ImapLogin:
    return ImapLogin(
        Endpoint(found["host"], int(found["port"]), found["tls"]),  # type: ignore[arg-type]
        found["user"],
        found["secret"],
    )
