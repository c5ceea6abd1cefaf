"""``postern milter``: checks what the world sends and signs what people submit, for Postfix."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from pathlib import Path

import click

from gateway import logs
from gateway.cli.failure import USAGE, Failure
from gateway.cli.options import Place, common
from gateway.milter.judge import Judge
from gateway.milter.key_files import KeyFiles
from gateway.milter.key_mirror import DIRECTORY
from gateway.milter.workers import MilterWorkers
from gateway.service.notify import Manager
from gateway.settings import Settings
from mailserver.milter import MilterService

log = logging.getLogger("postern.milter")


@click.command(name="milter")
@click.option(
    "--address", help="Where Postfix reaches it: unix:PATH or inet:HOST:PORT (default: mail.milter)."
)
@common
def command(place: Place, address: str | None) -> None:
    """Run the milter until SIGINT or SIGTERM.

    It needs neither the gateway nor its database: the keys it signs with are files that the gateway writes.
    """
    if place.url:
        raise Failure("the milter runs here", USAGE, fix="leave --url out")
    settings, _ = place.settings(mail__milter=address)
    if not settings.mail.milter:
        raise Failure(
            "mail.milter is not set",
            USAGE,
            fix="set it to unix:/run/postern/milter/milter.sock, or give --address",
        )
    logs.configure(settings.log.level, settings.log.format)
    asyncio.run(_serve(settings, place.data_dir(settings)))


async def _serve(settings: Settings, data_dir: Path) -> None:
    stop, manager = asyncio.Event(), Manager.of(os.environ)
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    hostname = settings.mail.hostname or f"mail.{settings.mail.domain}"
    async with MilterWorkers(settings, hostname) as workers:
        judge = Judge(workers, KeyFiles(data_dir / DIRECTORY), hostname)
        service = MilterService(settings.mail.milter, judge, largest=settings.mail.max_message + 1024 * 1024)
        await service.start()
        manager.ready()
        log.info("answering at %s", settings.mail.milter if not service.port else f"port {service.port}")
        try:
            await stop.wait()
        finally:
            manager.stopping()
            await service.stop()
