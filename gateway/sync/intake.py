"""One batch of mail on its way into the index: parsed, sorted, its attachments read, written.

Reports that speak to the gateway are taken out of the mailbox; what is decided here about a message (labels) goes to
the mail server as keywords, so that a rebuild finds it there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from contextlib import aclosing
from functools import partial

from gateway.events.log import EventLog
from gateway.extract.pool import ExtractPool
from gateway.mime.types import ParsedMessage
from gateway.mime.workers.parser_pool import ParserPool
from gateway.records.inboxes import Inbox
from gateway.settings import Settings
from gateway.smarthost.profiles import telling_relay
from gateway.store.engine import Store
from gateway.store.ids import now_us
from gateway.store.labels import to_keyword
from gateway.store.queries.arrivals import ARRIVAL_ROLES
from gateway.sync import apply
from gateway.sync.extraction import Piece, pieces
from gateway.sync.fetch import Delta
from gateway.sync.mailbox_ownership import Turns
from gateway.sync.pass_slots import PassImap, Slots
from mailserver.imap import Client

RETURN_PATH = "+b-"
"""What the local part of our return paths holds (see gateway.core.sending.send)."""


class Intake:
    """What takes batches. ``slots`` answers whose place the pass over an inbox, which calls it, has."""

    def __init__(
        self,
        store: Store,
        imap: PassImap,
        parser: ParserPool,
        extractor: ExtractPool | None,
        slots: Callable[[str], Slots],
        events: EventLog,
        drafts: apply.DraftSink,
        settings: Settings,
        turns: Turns,
    ) -> None:
        self._turns = turns
        self._store, self._imap, self._parser = store, imap, parser
        self._extractor, self._slots = extractor, slots
        self._events, self._drafts, self._settings = events, drafts, settings

    async def take(self, inbox: Inbox, delta: Delta, modseq: int, *, announce: bool) -> None:
        """Write a batch, with the events of its mail unless not ``announce``.

        ``modseq``: the folder's cursor before this batch. Raises InboxGone, StoreDown, MailServerDown: what was not
        written is read again. LeaseLost: it is another process's to read.
        """
        parsed = await self._parser.parse_many([one.raw for one in delta.found]) if delta.found else []
        if delta.state.role in ARRIVAL_ROLES and parsed:
            parsed = await self._take_reports(inbox, delta, parsed)
        since = now_us() - self._settings.events.keep_days * 86_400_000_000 if announce else None
        slots = self._slots(inbox.address)
        async with aclosing(
            pieces(self._store, self._extractor, slots, inbox, delta, parsed, modseq)
        ) as batch:
            async for one in batch:
                await self._write_piece(inbox, one, since)

    async def _write_piece(self, inbox: Inbox, one: Piece, since: int | None) -> None:
        decided = await self._turns.write(
            inbox.address,
            partial(
                apply.write_batch,
                inbox=inbox,
                delta=one.delta,
                parsed=one.parsed,
                events=self._events,
                drafts=self._drafts,
                texts=one.texts,
                announce_since=since,
            ),
        )
        if decided:
            await self._store_keywords(inbox, one.delta.state.name, decided)

    async def _store_keywords(self, inbox: Inbox, name: str, decided: Mapping[int, Set[str]]) -> None:
        """Give messages of a folder, by UID, the keywords of these labels: a rebuild finds there what was decided."""

        def store(client: Client) -> None:
            client.open(name)
            for uid, labels in decided.items():
                client.add_flags([uid], [to_keyword(label) for label in sorted(labels)], silent=True)

        await self._imap.run(inbox.address, store)

    async def _take_reports(
        self, inbox: Inbox, delta: Delta, parsed: list[ParsedMessage]
    ) -> list[ParsedMessage]:
        """Reports sent to a return path of ours, and those that prove otherwise what they are about, are applied
        and taken out of the mailbox: they speak to the gateway, not to the agent. Before the cursor moves, so that
        a crash repeats it; anything else is mail like any other. Answers what is left, and leaves only that in
        ``delta``."""
        suspects = [n for n, one in enumerate(parsed) if _may_report(one)]
        if not suspects:
            return parsed
        ours = await self._turns.write(
            inbox.address,
            partial(
                apply.write_reports,
                inbox=inbox,
                found=[delta.found[n] for n in suspects],
                parsed=[parsed[n] for n in suspects],
                events=self._events,
                relay=telling_relay(self._settings),
            ),
        )
        if not ours:
            return parsed
        name = delta.state.name

        def clear(client: Client) -> None:
            client.open(name)
            client.delete_messages(ours, silent=True)
            client.uid_expunge(ours)

        await self._imap.run(inbox.address, clear)
        left = [n for n, one in enumerate(delta.found) if one.uid not in ours]
        delta.found = [delta.found[n] for n in left]
        return [parsed[n] for n in left]


def _may_report(one: ParsedMessage) -> bool:
    """Whether ``apply_report`` decides about a mail: one at a return path, or one that names what we sent. Feedback
    loops write to the sender's address; so do servers to a sender whose address leaves no room for a token."""
    if RETURN_PATH in (one.delivered_to or ""):
        return True
    return one.report is not None and (one.report.kind == "feedback" or bool(one.report.envelope_id))
