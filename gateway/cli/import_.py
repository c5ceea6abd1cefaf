"""``postern import``: bring a mailbox that exists elsewhere.

The mail goes in by IMAP on this machine, beside the running gateway (or one started for the command), which indexes
it: so the command can be as slow as its source, and ended and run again at any moment.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from gateway.cli.failure import FAILED, UNAVAILABLE, USAGE, Failure
from gateway.cli.mailroom import mailroom
from gateway.cli.options import Place, common
from gateway.cli.output import clean, show
from gateway.transfer import http_sources, importing, sources
from gateway.transfer.already_present import Known
from gateway.transfer.imap_source import BadSource, account_of, read_account
from gateway.transfer.importing import Imported, Plan
from gateway.transfer.item import Item
from gateway.transfer.sources import Source

Read = Callable[[Known], Iterable[Item]]


@click.command(name="import")
@click.argument("source")
@click.option("--into", required=True, metavar="ADDRESS", help="The inbox that gets the mail; it must exist.")
@click.option(
    "--from", "kind", type=click.Choice(["mailpit", "agentmail"]), help="What answers at an http(s) URL."
)
@click.option("--source-inbox", help="Which inbox of AgentMail, or of an export that holds several.")
@click.option("--user", help="User name at a Mailpit that wants one.")
@click.option(
    "--password-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File with the password or API key (else POSTERN_SOURCE_PASSWORD, else it is asked for).",
)
@click.option("--folder", help="Put everything into this folder, whatever the source says.")
@click.option("--events", is_flag=True, help="Tell of the mail as if it came now: message.received for each.")
@click.option("--dry-run", is_flag=True, help="Only count what would be brought.")
@common
def command(
    place: Place,
    source: str,
    into: str,
    kind: str | None,
    source_inbox: str | None,
    user: str | None,
    password_file: Path | None,
    folder: str | None,
    events: bool,
    dry_run: bool,
) -> None:
    """Import SOURCE into an inbox, with folders, flags and dates. Nothing is brought twice: run it again at will.

    \b
    SOURCE is one of
      imaps://user@host[/FOLDER]   an IMAP account (imap:// is STARTTLS)
      FILE or DIRECTORY            mbox, Maildir, .eml, a zip or directory of .eml, an export of Postern
      http(s)://…                  with --from mailpit or --from agentmail

    The mail is history: it is listed, threaded and searched, but agents and webhooks get no event for it.
    """
    try:
        found = sources.recognise(source, kind)
        read = _reader(place, found, source_inbox, user, password_file)
        most = place.settings()[0].mail.max_message
        plan = Plan(max_octets=most, events=events, folder=folder, dry_run=dry_run)
        started = time.monotonic()
        report = asyncio.run(_run(place, into.strip().lower(), read, plan))
    except BadSource as error:
        raise Failure(str(error), UNAVAILABLE) from error
    _show_result(place, into, report, time.monotonic() - started, dry_run)
    if report.refused:
        raise Failure(f"{len(report.refused)} messages were refused; the report names them", FAILED)


def _reader(
    place: Place, source: Source, inbox: str | None, user: str | None, password_file: Path | None
) -> Callable[[Known], Iterable[Item]]:
    most = place.settings()[0].mail.max_message
    if source.kind == "imap":
        account = account_of(source.url, lambda: _secret(password_file, "Password of the account"))
        return lambda known: read_account(account, known.may_hold, lambda count: None, most)
    if source.kind == "mailpit":
        login = (user, _secret(password_file, "Password of Mailpit")) if user else None
        return lambda known: http_sources.read_mailpit(source.url, login, most)
    if source.kind == "agentmail":
        if not inbox:
            raise Failure("AgentMail has several inboxes", USAGE, fix="name one with --source-inbox")
        key = _secret(password_file, "API key")
        return lambda known: http_sources.read_agentmail(source.url, key, inbox, most)
    return lambda known: sources.read_files(source, most, inbox)


def _secret(file: Path | None, prompt: str) -> str:
    if file is not None:
        return file.read_text("utf-8").strip()
    held = os.environ.get("POSTERN_SOURCE_PASSWORD")
    return held if held is not None else str(click.prompt(prompt, hide_input=True, err=True))


async def _run(place: Place, address: str, read: Read, plan: Plan) -> Imported:
    async with mailroom(place, [address]) as (client, room):
        work = partial(importing.run, read=read, plan=plan, on_progress=_progress(place))
        report: Imported = await room.imap.run(address, work)
        if report.appended and not plan.dry_run:
            await client.call("POST", "/operator/read", {"addresses": [address]})
        return report


def _progress(place: Place) -> Callable[[Imported], None]:
    if place.as_json or not sys.stderr.isatty():
        return lambda report: None
    last = 0.0

    def show_count(report: Imported) -> None:
        nonlocal last
        if time.monotonic() - last > 0.2:
            last = time.monotonic()
            click.echo(f"\r{report.appended} imported, {report.known} there already ", nl=False, err=True)

    return show_count


def _show_result(place: Place, into: str, report: Imported, seconds: float, dry_run: bool) -> None:
    if sys.stderr.isatty() and not place.as_json:
        click.echo("\r", nl=False, err=True)
    show(
        place,
        {"into": into, "dry_run": dry_run, "seconds": round(seconds, 3), **asdict(report)},
        f"{'would import' if dry_run else 'imported'}  {report.appended} messages into {into} in {seconds:.1f} s",
        *(f"  {count:>8}  {clean(name)}" for name, count in sorted(report.folders.items())),
        f"there already  {report.known}",
        *([f"deleted at the source  {report.deleted}"] if report.deleted else []),
        *(
            f"refused   {clean(one.origin)} ({clean(one.folder)}): {clean(one.reason)}"
            for one in report.refused
        ),
    )
