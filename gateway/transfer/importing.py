"""An import: messages of a source that the mailbox has not, appended to it, and a report of all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from gateway.store.labels import IMPORTED
from gateway.transfer.already_present import Known
from gateway.transfer.append import Appender, Refusal
from gateway.transfer.item import Item
from mailserver.imap import Client


@dataclass(slots=True)
class Imported:
    """What became of a source. ``known``: the mailbox has them; ``deleted``: they were deleted there already."""

    appended: int = 0
    octets: int = 0
    known: int = 0
    deleted: int = 0
    folders: dict[str, int] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan:
    """How to import. ``folder``: put everything there, whatever the source says."""

    max_octets: int
    events: bool = False
    folder: str | None = None
    dry_run: bool = False


def run(
    client: Client,
    read: Callable[[Known], Iterable[Item]],
    plan: Plan,
    on_progress: Callable[[Imported], None] = lambda report: None,
) -> Imported:
    """Append what ``read`` yields and the mailbox lacks; ``read`` may ask what is there, to spare reading it.

    One thread, one connection. When it breaks off, what was appended stays, and the next run goes on from there.
    """
    known = Known(client)
    appender = Appender(client, extra=() if plan.events else (IMPORTED,), max_octets=plan.max_octets)
    report = Imported()
    for item in read(known):
        # RFC 9051 §9 has no NUL in a message; Dovecot would make it 0x80 too, and the next run find it missing
        item = replace(item, raw=item.raw.replace(b"\x00", b"\x80"), flags=_without_ours(item.flags))
        if plan.folder is not None:
            role = "inbox" if plan.folder.upper() == "INBOX" else "other"
            item = replace(item, folder=plan.folder, role=role)
        if "\\deleted" in {flag.lower() for flag in item.flags}:
            report.deleted += 1
        elif len(item.raw) <= plan.max_octets and known.holds(item.raw):
            report.known += 1
        elif plan.dry_run:
            report.appended += 1
        else:
            appender.add(item)
            known.add(item.raw)
        _count(report, appender, plan)
        on_progress(report)
    appender.flush()
    _count(report, appender, plan)
    return report


def _count(report: Imported, appender: Appender, plan: Plan) -> None:
    if not plan.dry_run:
        done = appender.report
        report.appended, report.octets, report.refused = done.appended, done.octets, done.refused
        report.folders = done.folders


def _without_ours(flags: tuple[str, ...]) -> tuple[str, ...]:
    """Another gateway's mark is not this one's: ``--events`` wants events of its mail too."""
    return tuple(one for one in flags if one.lower() != IMPORTED.lower())
