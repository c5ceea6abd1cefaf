"""The end of a setup: the gateway answers, the first key and inbox are there, and the DNS zone can be shown."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import aiohttp

from gateway.cli.client import Client, segment
from gateway.cli.connect import reach
from gateway.cli.failure import REFUSED, UNAVAILABLE, Failure
from gateway.cli.options import Place
from gateway.configuration import BadSettings
from gateway.setup import layout
from gateway.setup.manifest import Manifest

_READY = 60.0
_ASK = 25.0


async def make(place: Place, book: Manifest, inbox: str, save: Callable[[], None]) -> dict[str, Any]:
    """Wait until the gateway is ready; make a key and an inbox unless an earlier run did.

    Answers ``{api_key?, inbox?, postmaster?, dns, zone, base_url}``. The key is shown this once. Raises Failure.
    """
    assert book.answers is not None
    domain = book.answers.domain
    async with reach(place, start=False) as client:
        await _ready(client)
        found: dict[str, Any] = {"base_url": client.base_url}
        if not book.first_key:
            made = await client.call("POST", "/api-keys", {"name": "first"})
            found["api_key"] = made["key"]
            book.first_key = True
            save()
        if inbox and book.first_inbox != f"{inbox}@{domain}":
            body = {"username": inbox, "domain": domain, "client_id": f"postern-setup-{inbox}"}
            made = await client.call("POST", "/inboxes", body)
            found["inbox"] = book.first_inbox = str(made["email_address"])
            save()
        if made := await _postmaster(client, domain):
            found["postmaster"] = made
        where = f"/domains/{segment(domain)}/setup"
        found["dns"] = await client.call("GET", where)
        found["zone"] = (await client.call("GET", f"{where}/zone"))["zone"]
    return found


async def domains(place: Place) -> list[str]:
    """Every domain that the running gateway serves; none when it cannot be asked."""
    there = dataclasses.replace(place, data=str(layout.DATA))
    try:
        async with asyncio.timeout(_ASK), reach(there, start=False) as client:
            return [str(one["domain_id"]) for one in await client.rows("/domains")]
    except (Failure, BadSettings, OSError, TimeoutError, aiohttp.ClientError):
        return []


async def _postmaster(client: Client, domain: str) -> str | None:
    """RFC 5321 §4.5.1: somebody reads postmaster's mail. Make the operator's inbox for it, unless there is one,
    an alias (one that refuses too: that was somebody's choice), or a catch-all."""
    for path in (f"/inboxes/postmaster@{domain}", f"/aliases/postmaster@{domain}", f"/aliases/@{domain}"):
        try:
            await client.call("GET", path)
        except Failure as failure:
            if failure.code != REFUSED:
                raise
        else:
            return None
    body = {"username": "postmaster", "domain": domain, "client_id": "postern-setup-postmaster"}
    return str((await client.call("POST", "/inboxes", body))["email_address"])


async def _ready(client: Client) -> None:
    """Wait until every part of the gateway works. Raises Failure naming the one that does not."""
    end = asyncio.get_running_loop().time() + _READY
    words = "it does not answer"
    while asyncio.get_running_loop().time() < end:
        try:
            async with client.session.get(f"{client.base_url}/ready") as response:
                if response.status == 200:
                    return
                words = (await response.text())[:1000]
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            words = str(error) or type(error).__name__
        await asyncio.sleep(0.2)
    raise Failure(
        f"the gateway is not ready after {_READY:.0f} s: {words}",
        UNAVAILABLE,
        fix="journalctl -u 'postern*' -n 50 shows more; `postern setup` goes on when it is ready",
    )
