"""One batch of mail on its way into the index: parsed, its reports taken out, its attachments read, written.

Reports that are for the gateway are taken out of the mailbox; the labels that are decided for a message (``decide``) go
to the mail server as keywords, so that a rebuild finds them there.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from contextlib import aclosing
from functools import partial

from gateway.events.log import EventLog
from gateway.extract.pool import ExtractPool
from gateway.mime.types import ParsedMessage
from gateway.mime.workers.parser_pool import ParserPool
from gateway.records.ids import now_us
from gateway.records.inboxes import Inbox
from gateway.settings import Settings
from gateway.smarthost.profiles import reporting_relay
from gateway.store.engine import Store
from gateway.store.labels import to_keyword
from gateway.store.queries.arrivals import ARRIVAL_ROLES
from gateway.sync import apply
from gateway.sync.extraction import Piece, pieces
from gateway.sync.fetch import Delta
from gateway.sync.mailbox_ownership import MailboxOwnership
from gateway.sync.scan_slots import ScanImap
from mailserver.imap import Client

RETURN_PATH = "+b-"
"""What the local part of our return paths holds (see gateway.core.sending.send)."""


class Intake:
    """Takes the batches of all scans."""

    def __init__(
        self,
        store: Store,
        parser: ParserPool,
        extractor: ExtractPool | None,
        events: EventLog,
        drafts: apply.DraftSink,
        settings: Settings,
        ownership: MailboxOwnership,
    ) -> None:
        self._store, self._parser, self._extractor = store, parser, extractor
        self._events, self._drafts, self._settings = events, drafts, settings
        self._ownership = ownership

    async def take(self, inbox: Inbox, imap: ScanImap, delta: Delta, modseq: int) -> None:
        """Write a batch, with the events of its mail.

        ``modseq``: the folder's cursor before this batch. Raises InboxGone, StoreDown, MailServerDown: what was not
        written is read again. LeaseLost: it is another process's to read.
        """
        parsed = await self._parser.parse_many([one.raw for one in delta.found]) if delta.found else []
        if delta.state.role in ARRIVAL_ROLES and parsed:
            parsed = await self._take_reports(inbox, imap, delta, parsed)
        since = now_us() - self._settings.events.keep_days * 86_400_000_000
        async with aclosing(
            pieces(self._store, self._extractor, imap.slots, inbox, delta, parsed, modseq)
        ) as batch:
            async for piece in batch:
                decided = await self._write_piece(inbox, piece, since)
                if decided:
                    await _store_keywords(imap, inbox, delta.state.name, decided)

    async def _write_piece(self, inbox: Inbox, piece: Piece, since: int) -> dict[int, frozenset[str]]:
        return await self._ownership.write(
            inbox.address,
            partial(
                apply.write_batch,
                inbox=inbox,
                delta=piece.delta,
                parsed=piece.parsed,
                events=self._events,
                drafts=self._drafts,
                texts=piece.texts,
                announce_since=since,
            ),
        )

    async def _take_reports(
        self, inbox: Inbox, imap: ScanImap, delta: Delta, parsed: list[ParsedMessage]
    ) -> list[ParsedMessage]:
        """Apply the reports about what we sent, and take them out of the mailbox: they are for the gateway, not for the
        agent. Those sent to a return path of ours count, and those that prove otherwise what they are about; anything
        else is mail like any other.

        It comes before the cursor moves, so that a crash repeats it. Answers what is left, and leaves only that in
        ``delta``.
        """
        suspects = [n for n, message in enumerate(parsed) if _may_report(message)]
        if not suspects:
            return parsed
        ours = await self._ownership.write(
            inbox.address,
            partial(
                apply.write_reports,
                inbox=inbox,
                found=[delta.found[n] for n in suspects],
                parsed=[parsed[n] for n in suspects],
                events=self._events,
                relay=reporting_relay(self._settings),
            ),
        )
        if not ours:
            return parsed
        name = delta.state.name

        def clear(client: Client) -> None:
            client.open(name)
            client.delete_messages(ours, silent=True)
            client.uid_expunge(ours)

        await imap.run(inbox.address, clear)
        left = [n for n, found in enumerate(delta.found) if found.uid not in ours]
        delta.found = [delta.found[n] for n in left]
        return [parsed[n] for n in left]


async def _store_keywords(imap: ScanImap, inbox: Inbox, folder: str, decided: Mapping[int, Set[str]]) -> None:
    """Give messages of a folder, by UID, the keywords of these labels: a rebuild finds there what was decided."""

    def store(client: Client) -> None:
        client.open(folder)
        for uid, labels in decided.items():
            client.add_flags([uid], [to_keyword(label) for label in sorted(labels)], silent=True)

    await imap.run(inbox.address, store)


def _may_report(message: ParsedMessage) -> bool:
    """Whether ``apply_report`` decides about a mail: one at a return path, or one that names what we sent. Feedback
    loops write to the sender's address; so do servers to a sender whose address leaves no room for a token."""
    if RETURN_PATH in (message.delivered_to or ""):
        return True
    report = message.report
    return report is not None and (report.kind == "feedback" or bool(report.envelope_id))
