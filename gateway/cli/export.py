"""``postern export``: mail in the formats that every mail program reads, and the rest as JSON.

Mail is read over IMAP beside the running gateway (or one started for the command), the rest from the database.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import click
from click.termui import progressbar

from gateway.cli.failure import REFUSED, USAGE, Failure
from gateway.cli.mailroom import mailroom
from gateway.cli.options import Place, common
from gateway.cli.output import show
from gateway.records.ids import ORGANIZATION_ID
from gateway.records.inboxes import Inbox
from gateway.store.database_url import database_url
from gateway.store.engine import Store
from gateway.transfer.export import export
from gateway.transfer.metadata import chosen_inboxes
from mailserver.addresses import fold_domain


@click.command(name="export")
@click.option("--inbox", "inboxes", multiple=True, metavar="ADDRESS", help="This inbox; may be repeated.")
@click.option("--domain", "domains", multiple=True, help="Every inbox of this domain; may be repeated.")
@click.option("--organization", metavar="ID", help="Every inbox of this organization (org_…).")
@click.option("--all", "everything", is_flag=True, help="Every inbox.")
@click.option(
    "--to", "target", required=True, type=click.Path(path_type=Path), help="New directory, or FILE.tar.gz."
)
@click.option(
    "--format", "form", type=click.Choice(["maildir", "mbox"]), default="maildir", show_default=True
)
@common
def command(
    place: Place,
    inboxes: tuple[str, ...],
    domains: tuple[str, ...],
    organization: str | None,
    everything: bool,
    target: Path,
    form: Any,
) -> None:
    """Export mail as Maildir or mbox, with ids, labels, threads, drafts, rules and webhooks as JSON beside it.

    What is there when it ends is whole. `postern import` reads it again, into this gateway or another.
    """
    if everything == bool(inboxes or domains or organization):
        raise Failure(
            "say what to export", USAGE, fix="give --inbox, --domain, --organization, or --all alone"
        )
    started = time.monotonic()
    rows, (messages, octets) = asyncio.run(
        _run(place, inboxes, domains, organization, target.absolute(), form)
    )
    seconds = time.monotonic() - started
    show(
        place,
        {
            "export": str(target.absolute()),
            "format": form,
            "inboxes": [row.address for row in rows],
            "messages": messages,
            "octets": octets,
            "seconds": round(seconds, 3),
        },
        f"{messages} messages of {len(rows)} inboxes in {target.absolute()} ({seconds:.1f} s)",
    )


async def _run(
    place: Place,
    inboxes: tuple[str, ...],
    domains: tuple[str, ...],
    organization: str | None,
    target: Path,
    form: Any,
) -> tuple[list[Inbox], tuple[int, int]]:
    async with mailroom(place) as (_, room):
        settings, _origins = place.settings()
        store = Store(database_url(settings.database.url, place.data_dir(settings)))
        try:
            addresses = [one.strip().lower() for one in inboxes]
            names = [fold_domain(one) for one in domains]
            wanted = organization and (ORGANIZATION_ID.parse(organization) or organization)
            rows = await store.read(lambda tx: chosen_inboxes(tx, addresses, names, wanted))
            missing = set(addresses) - {row.address for row in rows}
            if missing or not rows:
                words = (
                    f"there is no inbox {', '.join(sorted(missing))}" if missing else "there is no such inbox"
                )
                raise Failure(words, REFUSED, fix="`postern inbox list` names them")
            with progressbar(length=len(rows), label="Exporting mailboxes", file=sys.stderr) as bar:
                sums = await export(room, store, rows, target, form, lambda address, count: bar.update(1))
        finally:
            store.close()
    return rows, sums
