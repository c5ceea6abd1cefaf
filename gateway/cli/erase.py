"""``postern erase``: one person's data, an inbox or an organization, for good, with a report.

The gateway does it (the one that runs, or one started for the command): it alone knows what is being sent now and
which keys it remembers.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from gateway.cli.client import refused
from gateway.cli.connect import reach
from gateway.cli.failure import FAILED, USAGE, Failure
from gateway.cli.options import Place, common
from gateway.cli.output import clean, show


@click.command(name="erase")
@click.option("--person", metavar="ADDRESS", help="Everything of the person at this address.")
@click.option("--inbox", metavar="ADDRESS", help="An inbox with all its mail.")
@click.option(
    "--organization", metavar="ID", help="An organization; with --person: only what it has of them."
)
@click.option(
    "--mentions", is_flag=True, help="With --person: other people's mail that mentions the address too."
)
@click.option("--scan-mail", is_flag=True, help="With --person: search every mail file for what is left.")
@click.option("--dry-run", is_flag=True, help="Only report what there is.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common
def command(
    place: Place,
    person: str | None,
    inbox: str | None,
    organization: str | None,
    mentions: bool,
    scan_mail: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Erase a person's data (GDPR art. 17), an inbox or an organization, and report what went and what could not.

    Of a person: every message from or to them in every inbox (on the mail server too), threads, drafts, events, what
    webhooks received, delivery records, suppressions, rules. Run it again at will. Exit code 1 when something that
    could be erased later was not.
    """
    what = [one for one in (person, inbox) if one] or ([organization] if organization else [])
    if len(what) != 1 or (inbox and organization):
        raise Failure("say what to erase", USAGE, fix="give one of --person, --inbox, --organization")
    if place.url:
        raise Failure("erase works on the gateway's own machine", USAGE, fix="leave --url out, give --data")
    body = {
        "person": person,
        "inbox": inbox,
        "organization": organization,
        "mentions": mentions,
        "scan_mail": scan_mail,
        "dry_run": dry_run,
    }
    report = asyncio.run(_run(place, body, ask=not (dry_run or yes)))
    show(place, report, *_lines(report))
    if any("run the command again" in one for one in report["not_erased"]):
        raise Failure("not all could be erased now; the report says what", FAILED)


async def _run(place: Place, body: dict[str, Any], *, ask: bool) -> dict[str, Any]:
    given = {name: value for name, value in body.items() if value}
    async with reach(place, as_operator=True) as client:
        if ask:
            found = await _erase(place, client.lines("/operator/erase", given | {"dry_run": True}))
            for line in _lines(found):
                click.echo(line, err=True)
            click.confirm("Erase this for good?", abort=True, err=True)
        return await _erase(place, client.lines("/operator/erase", given))


async def _erase(place: Place, lines: Any) -> dict[str, Any]:
    async for one in lines:
        if "error" in one:
            raise refused(one["error"]["status"], one["error"])
        if "report" in one:
            report: dict[str, Any] = one["report"]
            return report
        if not place.as_json and sys.stderr.isatty():
            click.echo(f"… {clean(one.get('progress'))}", err=True)
    raise Failure("the gateway broke off", FAILED, fix="run the command again: what is gone stays gone")


def _lines(report: dict[str, Any]) -> list[str]:
    subject = report.get("person") or report.get("inbox") or report.get("organization")
    lines = [f"{'would erase' if report['dry_run'] else 'erased'}  {clean(subject)}"]
    lines += [f"  found       {_count(count):>8}  {name}" for name, count in report["found"].items()]
    lines += [f"  erased      {count:>8}  {name}" for name, count in report.get("erased", {}).items()]
    left = report.get("left", {})
    lines += [f"  left        {count:>8}  rows of {name}" for name, count in left.get("rows", {}).items()]
    lines += [f"  left in the file    {clean(name)}" for name in left.get("files", ())]
    lines += [f"  not erased  {clean(one)}" for one in report["not_erased"]]
    return lines


def _count(value: Any) -> int:
    return len(value) if isinstance(value, list) else int(value)
