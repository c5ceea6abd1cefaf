"""``postern ready``: the health check of a container, and of whatever else watches by exit code."""

from __future__ import annotations

import asyncio

import aiohttp
import click
import msgspec

from gateway.cli import operator
from gateway.cli.client import Client, unreachable
from gateway.cli.failure import UNAVAILABLE, Failure
from gateway.cli.options import Place, common
from gateway.cli.output import clean, show

_SECONDS = 8.0
"""Each part answers ``/ready`` within two and a half."""


@click.command(name="ready")
@common
def command(place: Place) -> None:
    """Ask the gateway whether all its parts work. Exit code 0: ready; 4: not, and the parts that are not.

    It never starts a gateway and needs no key; with --url it asks one elsewhere.
    """
    asyncio.run(_run(place))


async def _run(place: Place) -> None:
    found = _where(place)
    async with Client(found.base_url, found.api_key, unix_socket=found.unix_socket) as client:
        try:
            limit = aiohttp.ClientTimeout(total=_SECONDS)
            async with client.session.get(f"{client.base_url}/ready", timeout=limit) as response:
                answer = msgspec.json.decode(await response.read())
            parts = {name: part["detail"] for name, part in answer["parts"].items() if not part["ok"]}
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise unreachable(client.base_url, error) from error
        except (msgspec.DecodeError, TypeError, KeyError, AttributeError) as error:
            raise Failure(f"{client.base_url} does not answer as a Postern does", UNAVAILABLE) from error
    if parts:
        words = "; ".join(f"{name}: {clean(detail) or 'does not work'}" for name, detail in parts.items())
        raise Failure(f"not ready: {words}", UNAVAILABLE)
    show(place, answer, "ready")


def _where(place: Place) -> operator.Operator:
    if place.url:
        return operator.Operator(place.url.removesuffix("/api/v0"), place.key or "")
    settings, _ = place.settings()
    data_dir = place.data_dir(settings)
    if not operator.running(data_dir):
        raise Failure(f"no gateway runs on {data_dir}", UNAVAILABLE)
    found = operator.operator_of(data_dir)
    if found is None or not operator.lives(found):
        raise Failure(f"the gateway on {data_dir} is still starting", UNAVAILABLE)
    return found
