"""``postern restore``: a gateway from its backup, in an empty data directory.

No gateway can run there yet, so the command starts the parts it needs itself (database, parser, mail server; nothing
that sends mail or events), puts the mail into the mailboxes and has the index made from them.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import sys
from pathlib import Path
from typing import Any

import click
import msgspec
from click.termui import progressbar

from gateway import logs
from gateway.app.build import open_core
from gateway.backup import catalog, filters, lookup, restore
from gateway.backup.records import BackupError
from gateway.backup.verify import opened, verify
from gateway.cli import container, operator
from gateway.cli.failure import FAILED, REFUSED, UNAVAILABLE, USAGE, Failure
from gateway.cli.options import Place, common
from gateway.cli.output import clean, show
from gateway.cli.private_mail import own_mail_server
from gateway.core.accounts import bootstrap
from gateway.core.inboxes import quotas
from gateway.mail_choice import make_mail_server
from gateway.service.container import in_container
from gateway.settings import Settings
from gateway.store.database_url import database_url
from gateway.sync.rebuild import rebuild
from mailserver.provisioning import Provisioning


@click.command(name="restore")
@click.argument("backup", type=click.Path(path_type=Path, exists=True))
@common
def command(place: Place, backup: Path) -> None:
    """Restore BACKUP (a directory or a .tar.gz that `postern backup` made) into the empty data directory --data.

    Keys, ids, threads and read state are as they were. The settings of the backup are taken when --config names none
    and the directory has none. Root goes on as the user whose directory it is, once it has read the settings.
    """
    if place.url:
        raise Failure("restore works on a data directory on this machine", USAGE, fix="leave --url out")
    settings, _ = place.settings()  # the secrets of a server are root's to read
    _become_owner(place.data_dir(settings))
    if in_container():
        container.check(settings, place.data_dir(settings))
    backup = backup.absolute()
    if not os.access(backup, os.R_OK | os.X_OK if backup.is_dir() else os.R_OK):
        raise Failure(
            f"{backup} cannot be read by the user of the data directory",
            REFUSED,
            fix=f"copy it to /var/tmp and give it to {pwd.getpwuid(os.geteuid()).pw_name} (chown -R)",
        )
    if backup.is_dir() and not (backup / catalog.MANIFEST).exists():
        held = catalog.backups_in(backup)
        if not held:
            raise Failure(f"there is no backup in {backup}", USAGE)
        raise Failure(f"{backup} holds several backups", USAGE, fix=f"name one, such as {held[-1]}")
    try:
        asyncio.run(_run(place, settings, backup))
    except BackupError as error:
        raise Failure(str(error), FAILED) from error


def _become_owner(data: Path) -> None:
    """As root: what is made in the data directory is to be its owner's."""
    owner = data.stat().st_uid if data.exists() else 0
    if os.geteuid() != 0 or owner == 0:
        return
    user = pwd.getpwuid(owner)
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.environ["HOME"] = user.pw_dir


async def _run(place: Place, settings: Settings, backup: Path) -> None:
    manifest = verify(backup)
    data = place.data_dir(settings)
    if operator.running(data):
        raise Failure(f"a gateway is running on {data}", UNAVAILABLE, fix="restore into an empty directory")
    _refuse_running_dovecot(settings)
    restore.refuse_occupied(data, with_mail=manifest.mail is not None)
    logs.configure("warning", "text")
    with opened(backup) as folder:
        if place.file() is None and catalog.SETTINGS in manifest.files:
            restore.put_settings(folder, data)
            place.config = data / catalog.SETTINGS
            place.data = str(data)
            settings, _ = place.settings()
        data.mkdir(mode=0o711, parents=True, exist_ok=True)
        settings = _alone(settings)
        server = make_mail_server(settings, data)
        if not isinstance(server, Provisioning):
            raise Failure("this mail server's tables cannot be restored", FAILED)
        url = database_url(settings.database.url, data)
        restore.put_back(folder, manifest, data, url, server.place, server.lookup)
        async with open_core(settings) as core:
            refused = []
            if manifest.mail is not None:
                label = "Restoring mailboxes"
                with progressbar(length=manifest.mail.inboxes, label=label, file=sys.stderr) as bar:
                    mail = folder / catalog.MAIL
                    await quotas.suspend(core)  # a mailbox over its quota comes back whole, too
                    refused = await restore.fill_mailboxes(core, mail, lambda address: bar.update(1))
                    await bootstrap.reconcile_mail_server(core)
            tables = await asyncio.to_thread(lookup.rows_in, folder)
            locked_out = await asyncio.to_thread(
                lookup.lost, server.lookup, tables, await restore.inboxes(core)
            )
            filtering = await asyncio.to_thread(
                filters.put_back, filters.filters_in(folder), tables, server.place / "mail"
            )
            waiting = await core.store.write(restore.doubt_what_waits)
            count = await rebuild(
                core.store,
                core.imap,
                core.parser,
                extractor=core.extractor,
                keep_days=settings.events.keep_days,
                # mail that the backup holds without its event came while it was made, and was announced then; on a
                # mail server that kept its mail, what came since is announced by the first start
                announced_since=0 if manifest.mail is not None else None,
            )
    answer: dict[str, Any] = {
        "data_dir": str(data),
        "backup": str(backup),
        "made_at": manifest.made_at,
        "messages": count,
        "refused": [{"origin": one.origin, "reason": one.reason} for one in refused],
        "waiting": waiting,
        "filters": filtering,
        "passwords": lookup.count(tables).passwords,
    }
    show(
        place,
        answer,
        f"restored  {data}, as it was at {manifest.made_at}",
        f"mail      {count} messages indexed" + ("" if manifest.mail else "; the backup had no mail in it"),
        f"passwords {lookup.count(tables).passwords} of mailboxes",
        *([f"waiting   {waiting} messages go out when the gateway starts"] if waiting else []),
        *(f"refused   {clean(one.origin)}: {clean(one.reason)}" for one in refused[:20]),
    )
    if locked_out:
        raise Failure(
            f"{len(locked_out)} mailboxes have not the password that the backup has: {', '.join(locked_out[:20])}",
            FAILED,
            fix="restore again into an empty directory and empty lookup tables",
        )
    if refused:
        raise Failure(f"the mail server refused {len(refused)} messages of the backup", FAILED)


def _refuse_running_dovecot(settings: Settings) -> None:
    pid = Path(settings.mail.run_dir, "master.pid")
    if settings.mail.run_dir and pid.exists():
        raise Failure(
            f"Dovecot is running ({pid})",
            UNAVAILABLE,
            fix="systemctl stop postern-dovecot, and start it again after",
        )


def _alone(settings: Settings) -> Settings:
    """A Dovecot of the command's own, whatever daemons there are otherwise, and without quotas."""
    alone = own_mail_server(settings)
    return msgspec.structs.replace(alone, mail=msgspec.structs.replace(alone.mail, quota=0))
