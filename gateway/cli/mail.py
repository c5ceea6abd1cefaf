"""``postern mail``: the mail daemons that systemd runs beside the gateway."""

from __future__ import annotations

from typing import Any

import click

from gateway.cli.failure import FAILED, USAGE, Failure
from gateway.cli.options import Place, common
from gateway.cli.output import show
from gateway.mail_choice import postfix_settings
from gateway.setup import caddy
from gateway.setup.host import Hands
from mailserver.postfix_dovecot import PostfixSettings, place
from mailserver.rendering import differing

_WAIT = 120.0
"""Seconds at most that an answer of the certificate authority is waited for."""


@click.group(name="mail")
def command() -> None:
    """Postfix and Dovecot where systemd runs them (mail.manage = false)."""


@command.command()
@click.argument("daemon", type=click.Choice(["dovecot", "postfix"]))
@click.option(
    "--check", is_flag=True, help="Write nothing; exit code 1 when what is on disk is not what it should be."
)
@common
@click.pass_context
def render(context: click.Context, where: Place, daemon: place.Daemon, check: bool) -> None:
    """Write the configuration of DAEMON from the settings, as its unit does before each start.

    Dovecot's is written by the user that the gateway runs as, Postfix's by root. The database is not needed.
    """
    settings = _settings(where)
    if not check:
        written = place.write(settings, daemon)
        show(
            where,
            _answer(daemon, [str(one.path) for one in written]),
            *(f"wrote {one.path}" for one in written),
        )
        return
    stale = [str(path) for path in differing(place.check(settings, daemon))]
    lines = [f"differs: {path}" for path in stale] or [f"{daemon}'s configuration is as it should be"]
    show(where, _answer(daemon, stale), *lines)
    if stale:
        context.exit(FAILED)


@command.command()
@common
def certificate(where: Place) -> None:
    """Copy Caddy's certificate to the mail services, as postern-certificate.service does.

    It waits while Caddy is asking for one. The services take the copy up by postern-tls.path.
    """
    settings, _ = where.settings()
    caddy.wait(settings.mail.hostname, _WAIT)
    copied = caddy.copy(Hands(), settings.mail.hostname)
    line = "copied" if copied else "the mail services have it, or Caddy has none"
    show(where, {"hostname": settings.mail.hostname, "copied": copied}, f"{settings.mail.hostname}: {line}")


def _answer(daemon: str, files: list[str]) -> dict[str, Any]:
    return {"daemon": daemon, "files": files}


def _settings(where: Place) -> PostfixSettings:
    settings, _ = where.settings()
    if settings.mail.server != "postfix_dovecot" or settings.mail.manage:
        raise Failure(
            "the gateway runs its mail daemons itself with these settings",
            USAGE,
            fix='set mail.server = "postfix_dovecot" and mail.manage = false where systemd runs them',
        )
    return postfix_settings(settings, where.data_dir(settings))
