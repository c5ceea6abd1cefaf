"""``postern doctor``: what could keep mail from flowing, and what to do about it."""

from __future__ import annotations

import asyncio
from typing import Any

import click
import msgspec

from gateway import logs
from gateway.cli import operator
from gateway.cli.failure import USAGE, Failure
from gateway.cli.options import Place, common
from gateway.cli.output import clean, show
from gateway.configuration import BadSettings
from gateway.doctor.checks import CHECKS
from gateway.doctor.context import Door, Scene
from gateway.doctor.finding import worst
from gateway.doctor.notice import NotMailed, mail_postmaster
from gateway.doctor.open_context import arrived
from gateway.doctor.run_checks import Check, Report, examine
from gateway.mail_choice import make_mail_server
from mailserver.base import MailServerError
from mailserver.provisioning import Provisioning

_NAMES = click.Choice([one.name for one in CHECKS])
_EPILOG = """\b
Exit codes:
  0  all is well
  1  something is of note (WARN)
  2  something is wrong (FAIL)
"""


@click.command(name="doctor", epilog=_EPILOG)
@click.option("--only", type=_NAMES, multiple=True, help="Only this check; may be repeated.")
@click.option("--skip", type=_NAMES, multiple=True, help="Leave this check out; may be repeated.")
@click.option("--blocklists", is_flag=True, help="Also ask DNS blocklists for this machine's addresses.")
@click.option(
    "--mail", "by_mail", is_flag=True, help="Mail what fails to postmaster@ (what the daily timer does)."
)
@common
@click.pass_context
def command(
    context: click.Context,
    place: Place,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    blocklists: bool,
    by_mail: bool,
) -> None:
    """Look at DNS, ports, TLS, clock, disk, queues, daemons, database and files, and send a mail round.

    Each line is OK, WARN or FAIL, with what to do. Run it as root to see everything, with the gateway running or not.
    In the development profile the checks of what only a server on the internet has are left out.
    """
    if place.url:
        raise Failure("doctor checks this machine", USAGE, fix="leave --url out")
    wanted = [
        one
        for one in CHECKS
        if one.name not in skip
        and (one.name in only if only else not one.optional or (blocklists and one.name == "blocklists"))
    ]
    reports = asyncio.run(run_checks(place, wanted, by_mail=by_mail))
    levels = [one.level for report in reports for one in report.findings]
    show(place, _json(reports), *_lines(reports))
    context.exit(worst(levels))


async def run_checks(place: Place, checks: list[Check], *, by_mail: bool = False) -> list[Report]:
    """Run ``checks`` on the gateway that ``place`` names, running or not; ``by_mail`` mails what fails to postmaster@.

    Raises Failure for addresses that are none.
    """
    settings, _ = place.settings()
    logs.configure("error", "text")
    data_dir = place.data_dir(settings)
    # a gateway of `postern serve --quickstart` has its profile and perhaps its ports from the command line alone
    given = operator.settings_of(data_dir)
    settings, _ = place.settings(**{name.replace(".", "__"): value for name, value in given.items()})
    door = None
    if operator.running(data_dir):
        found = operator.operator_of(data_dir)
        door = Door(found.base_url, found.api_key, found.unix_socket) if found is not None else None
    try:
        async with arrived(settings, data_dir, place.file(), door) as scene:
            reports = await examine(scene, checks)
            if by_mail:
                await _mail(scene, reports)
            return reports
    except ValueError as error:
        raise Failure(
            f"mail.public_ipv4 or mail.public_ipv6: {error}", USAGE, fix="give one address each"
        ) from error


async def _mail(scene: Scene, reports: list[Report]) -> None:
    """Mail what fails; where that cannot be, say so and go on: the exit code reports the failures anyway."""
    try:
        server = await asyncio.to_thread(make_mail_server, scene.settings, scene.data_dir)
        if not isinstance(server, Provisioning):
            raise NotMailed("this mail server has no LMTP socket")
        address = await mail_postmaster(scene, reports, server.lmtp_socket)
    except (NotMailed, BadSettings, MailServerError, OSError) as error:
        click.echo(f"postern: what fails was not mailed: {error}", err=True)
        return
    if address:
        click.echo(f"what fails was mailed to {address}", err=True)


def _json(reports: list[Report]) -> dict[str, Any]:
    levels = [one.level for report in reports for one in report.findings]
    return {
        "status": ("ok", "warn", "fail")[worst(levels)],
        "checks": [
            {"check": report.check, "findings": msgspec.to_builtins(list(report.findings))}
            for report in reports
        ],
    }


def _lines(reports: list[Report]) -> list[str]:
    lines = []
    for report in reports:
        for one in report.findings:
            lines.append(f"{one.level.upper():5} {report.check:12} {clean(one.subject)}: {clean(one.text)}")
            if one.fix:
                lines.append(f"      fix: {clean(one.fix)}")
    counts = [
        sum(one.level == level for each in reports for one in each.findings) for level in ("fail", "warn")
    ]
    return [*lines, f"{counts[0]} wrong, {counts[1]} of note"]
