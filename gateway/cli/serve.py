"""``postern serve``: the gateway itself."""

from __future__ import annotations

import asyncio
import logging
import os

import click

from gateway import logs
from gateway.app.engines import Gateway
from gateway.app.roles import roles_of
from gateway.app.serve import serve as run
from gateway.cli import container, operator_file, quickstart
from gateway.cli.container_ready import log_ready
from gateway.cli.failure import UNAVAILABLE, USAGE, Failure
from gateway.cli.options import Place, common
from gateway.service.container import in_container
from gateway.service.notify import Manager
from gateway.settings import Settings

log = logging.getLogger("postern")

_PORT = click.IntRange(0, 65535)


@click.command(name="serve")
@click.option(
    "--quickstart",
    "quick",
    is_flag=True,
    help="Development profile, with a first key and inbox in DATA/quickstart.json.",
)
@click.option("--port", type=_PORT, help="HTTP port; 0: any free one.")
@click.option("--smtp-port", type=_PORT, help="Port the world delivers to; 0: any free one.")
@click.option("--imap-port", type=_PORT, help="Port people's mail clients read at; 0: any free one.")
@click.option(
    "--submission-port", type=_PORT, help="Port people's mail clients send through; 0: any free one."
)
@click.option(
    "--roles",
    envvar="POSTERN_ROLES",
    default="all",
    show_default=True,
    help="What this process does: some of api,sync,outbox,events,mail, beside others on the same PostgreSQL.",
)
@common
def command(
    place: Place,
    quick: bool,
    port: int | None,
    smtp_port: int | None,
    imap_port: int | None,
    submission_port: int | None,
    roles: str,
) -> None:
    """Run the gateway and its mail server until SIGINT or SIGTERM."""
    if place.url:
        raise Failure("serve runs a gateway here", USAGE, fix="leave --url out")
    options = {
        "http.port": port,
        "mail.smtp_port": smtp_port,
        "mail.imap_port": imap_port,
        "mail.submission_port": submission_port,
        "profile": "development" if quick else None,
    }
    given = {name: value for name, value in options.items() if value is not None}
    settings, origin = place.settings(**{name.replace(".", "__"): value for name, value in given.items()})
    form: logs.Form = "text" if quick and origin["log.format"] == "default" else settings.log.format
    logs.configure(settings.log.level, form)
    if quick:
        quickstart.check(settings)
    if in_container():
        container.check(settings, place.data_dir(settings))

    wanted = roles_of(roles)
    standing: list[asyncio.Task[None]] = []

    async def on_ready(running: Gateway, local_url: str) -> None:
        if quick:
            found = await quickstart.prepare(running.core)
            click.echo(quickstart.screen(found, running.core.data_dir))
        # last: whoever waits for a start waits for this file
        if "api" in wanted:
            await operator_file.announce(running.core, local_url, given)
            if not running.core.leases.alone:
                standing.append(
                    asyncio.create_task(operator_file.stand_in(running.core, local_url), name="operator")
                )
        if in_container():
            await log_ready(running.core)
        log.info("answering at %s", running.core.settings.http.public_url)

    try:
        asyncio.run(run(settings, on_ready, manager=Manager.of(os.environ), roles=wanted))
    except OSError as error:
        raise _not_started(settings, error) from error
    except asyncio.CancelledError:
        log.info("stopped while starting")


def _not_started(settings: Settings, error: OSError) -> Failure:
    words = error.strerror or str(error)
    if error.filename:
        return Failure(
            f"cannot start: {error.filename}: {words}",
            UNAVAILABLE,
            fix="let the gateway's user read and write there, or name another place (data_dir, database.url)",
        )
    port = f"{settings.http.host}:{settings.http.port}" if settings.http.host else ""
    where = " and ".join(filter(None, (port, settings.http.unix_socket)))
    return Failure(
        f"cannot start: {words} (the API listens on {where})",
        UNAVAILABLE,
        fix="if the port is taken, choose another with --port; 0 takes any free one",
    )
