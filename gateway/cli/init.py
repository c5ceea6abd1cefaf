"""``postern init``: a data directory with its configuration, database, domain and first key."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from gateway import logs
from gateway.app.build import open_core
from gateway.cli import container, operator
from gateway.cli.config import example
from gateway.cli.failure import UNAVAILABLE, USAGE, Failure
from gateway.cli.options import Place, common
from gateway.cli.output import show
from gateway.core.accounts import bootstrap
from gateway.service.container import in_container


@click.command(name="init")
@click.option("--domain", help="The platform's own mail domain, e.g. agents.example.com.")
@click.option(
    "--server", type=click.Choice(["embedded", "postfix_dovecot"]), help="The mail server under it."
)
@common
def command(place: Place, domain: str | None, server: str | None) -> None:
    """Make the data directory, its postern.toml, the database and a first API key (shown once)."""
    if place.url:
        raise Failure("init works on a data directory on this machine", USAGE, fix="leave --url out")
    asyncio.run(_run(place, {"mail.domain": domain, "mail.server": server}))


async def _run(place: Place, given: dict[str, str | None]) -> None:
    named = {name.replace(".", "__"): value for name, value in given.items()}
    settings, _ = place.settings(**named)
    logs.configure("warning", "text")
    data_dir = place.data_dir(settings)
    if in_container():
        container.check(settings, data_dir)
    if operator.running(data_dir):
        raise Failure(f"a gateway is running on {data_dir}: it is set up already", UNAVAILABLE)
    file = data_dir / "postern.toml"
    async with open_core(settings) as core:
        if not file.exists() and place.file() is None:
            _write(file, example({name: value for name, value in given.items() if value is not None}))
        key = await bootstrap.make_first_key(core, "first")
        answer = {"data_dir": str(data_dir), "config": str(place.file() or file), "api_key": key}
    show(
        place,
        answer,
        f"data directory  {data_dir}" + (" (was there already)" if key is None else ""),
        f"configuration   {answer['config']}",
        f"API key         {key or '`postern key create NAME` makes another'}",
        f"next            postern serve --data {data_dir}",
    )


def _write(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
