"""The process of ``owner_gateway``: runs a gateway until its standard input ends."""

from __future__ import annotations

import asyncio
import sys

import msgspec

from gateway.cli.main import failure_of
from gateway.cli.own_gateway import started
from gateway.cli.owner_gateway import Started
from gateway.settings import Settings


def main() -> None:
    """Read the settings, run, and say how it is reached or why it failed."""
    settings = msgspec.json.decode(sys.stdin.buffer.readline(), type=Settings)
    try:
        asyncio.run(_run(settings))
    except Exception as error:
        found = failure_of(error)
        if found is None:
            raise
        _say(Started(failure=found.message, code=found.code, fix=found.fix))


async def _run(settings: Settings) -> None:
    async with started(settings) as found:
        _say(Started(base_url=found.base_url, api_key=found.api_key))
        await asyncio.to_thread(sys.stdin.buffer.read)


def _say(started: Started) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(started) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
