"""``postern rebuild``: read every mailbox again and make the index anew."""

from __future__ import annotations

import asyncio
import sys
import time

import click
from click.termui import progressbar

from gateway import logs
from gateway.app.build import open_core, scanner_of
from gateway.cli import operator
from gateway.cli.failure import REFUSED, UNAVAILABLE, USAGE, Failure
from gateway.cli.options import Place, common
from gateway.cli.output import show
from gateway.cli.private_mail import private_mail_server
from gateway.store.queries.inboxes import unscoped_addresses
from gateway.sync.rebuild import rebuild


@click.command(name="rebuild")
@click.option("--inbox", "inboxes", multiple=True, help="Only this address; may be repeated.")
@common
def command(place: Place, inboxes: tuple[str, ...]) -> None:
    """Throw the index away and make it again from the mailboxes. The gateway must be stopped.

    No mail is touched; ids, threads, labels and read state come out the same. No event is announced again; mail that
    came while no gateway ran gets its event. No port is opened that mail comes in by.
    """
    if place.url:
        raise Failure("rebuild works on a data directory on this machine", USAGE, fix="leave --url out")
    asyncio.run(_run(place, [one.lower() for one in inboxes] or None))


async def _run(place: Place, addresses: list[str] | None) -> None:
    settings, _ = place.settings()
    logs.configure("warning", "text")
    data_dir = place.gateway_dir(settings)
    if operator.running(data_dir):
        raise Failure(
            f"a gateway is running on {data_dir}",
            UNAVAILABLE,
            fix="stop it first; mail that comes meanwhile is kept",
        )
    started = time.monotonic()
    sizes: dict[str, tuple[int, int]] = {}
    async with open_core(private_mail_server(settings)) as core:
        known = await core.store.read(unscoped_addresses)
        for address in addresses or ():
            if address not in known:
                raise Failure(f"there is no inbox {address}", REFUSED, fix="`postern inbox list` names them")
        with progressbar(length=1, label="Reading mailboxes", file=sys.stderr) as bar:

            def progress(address: str, done: int, total: int) -> None:
                sizes[address] = (done, total)
                bar.length = max(1, sum(whole for _, whole in sizes.values()))
                bar.update(sum(part for part, _ in sizes.values()) - bar.pos)

            count = await rebuild(
                core.store,
                core.imap,
                core.parser,
                addresses,
                extractor=core.extractor,
                on_progress=progress,
                keep_days=settings.events.keep_days,
                read=scanner_of(core).read,
            )
            bar.length = max(1, count)
            bar.update(bar.length - bar.pos)
    seconds = time.monotonic() - started
    many = len(addresses or known)
    show(
        place,
        {"messages": count, "inboxes": many, "seconds": round(seconds, 3)},
        f"{count} messages of {many} inboxes indexed in {seconds:.1f} s",
    )
