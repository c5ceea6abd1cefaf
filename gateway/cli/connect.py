"""From ``--data`` or ``--url`` to a client of the gateway that is meant."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace as replace_field

from gateway.cli import container, operator
from gateway.cli.client import Client
from gateway.cli.failure import UNAVAILABLE, USAGE, Failure
from gateway.cli.options import Place
from gateway.service.container import in_container

_STARTING = 20.0


@asynccontextmanager
async def reach(place: Place, *, start: bool = True, as_operator: bool = False) -> AsyncIterator[Client]:
    """A client of the gateway that is meant (``located``)."""
    async with (
        located(place, start=start, as_operator=as_operator) as found,
        Client(found.base_url, found.api_key, unix_socket=found.unix_socket) as client,
    ):
        yield client


@asynccontextmanager
async def located(
    place: Place, *, start: bool = True, as_operator: bool = False
) -> AsyncIterator[operator.Operator]:
    """How to reach the remote gateway, the one running on the data directory, or one started for this command
    (``start`` False: then Failure), and with which key. Raises Failure, BadSettings, MailServerError.

    ``as_operator``: it takes the operator's key. On this machine a key of the environment is left alone then, because
    it is there for other programs; one that was typed is used, and may be refused.
    """
    if place.url:
        if not place.key:
            raise Failure("--url needs a key", USAGE, fix="give --key, or set POSTERN_KEY")
        yield operator.Operator(place.url.removesuffix("/api/v0"), place.key)
        return
    key = place.typed_key if as_operator else place.key
    settings, _ = place.settings()
    data_dir = place.data_dir(settings)
    if operator.running(data_dir) or (in_container() and container.serves()):
        found = await _answering(data_dir)
        yield replace(found, api_key=key or found.api_key)
        return
    if not start:
        raise Failure(f"no gateway runs on {data_dir}", UNAVAILABLE, fix="start it with `postern serve`")
    place.gateway_dir(settings)
    owner = _other_owner(data_dir)
    settings = replace_field(settings, data_dir=str(data_dir))
    # most commands never need a whole gateway
    from gateway.cli.own_gateway import started
    from gateway.cli.owner_gateway import started_as

    async with started(settings) if owner is None else started_as(owner, settings) as found:
        yield replace(found, api_key=key or found.api_key)


def _other_owner(data_dir: Path) -> int | None:
    """Whose a gateway for a command must be, where the data directory is another user's: its files would become ours.

    Raises Failure for whoever cannot be that user.
    """
    owner, own = data_dir.stat().st_uid if data_dir.exists() else os.geteuid(), os.geteuid()
    if owner == own:
        return None
    if own == 0:
        return owner
    raise Failure(
        f"no gateway runs on {data_dir}, which belongs to another user (uid {owner})",
        UNAVAILABLE,
        fix="start it: systemctl start postern",
    )


async def _answering(data_dir: Path) -> operator.Operator:
    """The operator file of a running gateway, waited for while it starts.

    The process that wrote it may be gone and its number given anew, in a container even to the gateway that starts
    now: the file counts once something listens there."""
    end = asyncio.get_running_loop().time() + _STARTING
    while True:
        found = operator.operator_of(data_dir)
        if found is not None and operator.lives(found) and await _listens(found):
            return found
        if asyncio.get_running_loop().time() > end:
            raise Failure(
                f"the gateway on {data_dir} is starting and does not answer yet",
                UNAVAILABLE,
                fix="try again",
            )
        await asyncio.sleep(0.1)


async def _listens(found: operator.Operator) -> bool:
    at = urlsplit(found.base_url)
    try:
        if found.unix_socket:
            _, writer = await asyncio.open_unix_connection(found.unix_socket)
        else:
            _, writer = await asyncio.open_connection(at.hostname, at.port or 80)
    except OSError:
        return False
    writer.transport.abort()
    return True
