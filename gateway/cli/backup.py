"""``postern backup``: copy what cannot be made again, while the gateway works.

The command reads the database and the secrets itself, so it works with the gateway running or stopped, and needs the
right to write nowhere but at its target. Only ``--mail`` asks the running gateway how mailboxes are opened.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path

import click
from click.termui import progressbar

from gateway.archive import is_archive
from gateway.backup import catalog
from gateway.backup.catalog import Manifest
from gateway.backup.make import Source, make
from gateway.backup.records import BackupError
from gateway.backup.verify import verify
from gateway.cli.failure import FAILED, USAGE, Failure
from gateway.cli.mailroom import mailroom
from gateway.cli.options import Place, common
from gateway.cli.output import show
from gateway.mail_choice import lookup_url
from gateway.settings import Settings
from gateway.store.database_url import database_url
from gateway.transfer.all_mailboxes import copy_all


@click.command(name="backup")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--mail", is_flag=True, help="Copy every mailbox too; what the last backup holds is linked.")
@click.option("--keep", type=click.IntRange(min=1), help="Of the backups in TARGET keep only the newest N.")
@click.option("--verify", "check", is_flag=True, help="Open the backup when it is made, and check all of it.")
@click.option("--verify-only", is_flag=True, help="Make none: check the backup TARGET.")
@common
def command(place: Place, target: Path, mail: bool, keep: int | None, check: bool, verify_only: bool) -> None:
    """Back up to TARGET: a directory, which gets one more backup, or a file ending in .tar.gz.

    In it: the records of the database, people's passwords (hashed), the secrets, the settings; with --mail every
    mailbox as Maildir. It opens every inbox: keep it where only you can read it.
    """
    if place.url:
        raise Failure("backup works on a data directory on this machine", USAGE, fix="leave --url out")
    if keep is not None and is_archive(target):
        raise Failure("--keep is for a directory of backups", USAGE, fix="name a directory, or leave it out")
    try:
        if verify_only:
            where, manifest = target, verify(target)
            _show_result(place, where, manifest, [], checked=True)
            return
        settings, _ = place.settings()
        source = source_of(place, settings)
        where, manifest = make(source, target.absolute(), partial(_copy_mail, place) if mail else None)
        if check:
            verify(where)
        gone = catalog.remove_old(where.parent, keep) if keep is not None else []
    except BackupError as error:
        raise Failure(str(error), FAILED) from error
    _show_result(place, where, manifest, gone, checked=check)


def _copy_mail(place: Place, into: Path, before: Path | None) -> catalog.MailCount:
    """Copy every mailbox (``make`` calls it when the records are copied)."""

    async def run() -> tuple[int, int, int]:
        async with mailroom(place) as (_, room):
            with progressbar(length=len(room.logins), label="Copying mailboxes", file=sys.stderr) as bar:
                return await copy_all(room, into, before, lambda address, messages: bar.update(1))

    return catalog.MailCount(*asyncio.run(run()))


def source_of(place: Place, settings: Settings) -> Source:
    """What a backup of this gateway is made from. Raises Failure when there is none."""
    data = place.gateway_dir(settings)
    url = database_url(settings.database.url, data)
    return Source(data, url, place.file(), lookup_url(settings))


def _show_result(place: Place, where: Path, manifest: Manifest, gone: list[str], *, checked: bool) -> None:
    mail = manifest.mail
    octets = sum(one.stat().st_size for one in where.iterdir() if one.is_file()) if where.is_dir() else None
    show(
        place,
        {
            "backup": str(where),
            "made_at": manifest.made_at,
            "verified": checked,
            "rows": sum(manifest.rows.values()),
            "mail": None if mail is None else {"inboxes": mail.inboxes, "messages": mail.messages},
            "removed": gone,
            "left_out": manifest.left_out,
        },
        f"backup    {where}" + (f", verified: {_extent(manifest)}" if checked else ""),
        f"records   {sum(manifest.rows.values())} rows" + (f", {octets} octets" if octets else ""),
        "mail      " + (f"{mail.messages} messages of {mail.inboxes} inboxes" if mail else "not in it"),
        *([f"removed   {', '.join(gone)}"] if gone else []),
        *(f"left out  {one}" for one in manifest.left_out),
    )


def _extent(manifest: Manifest) -> str:
    """What "verified" speaks of, and what it does not."""
    mail = manifest.mail
    if mail is None:
        return "records, keys, passwords and settings; NO MAIL is in it (--mail takes it, too)"
    return f"records, keys, passwords, settings and {mail.messages} messages of {mail.inboxes} inboxes"
