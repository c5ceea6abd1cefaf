"""Reading attachments between parsing and writing: done before a message's event goes out, and only its own inbox
waits.

Events of an inbox keep their order, so what came after a mail with a slow attachment waits with it, ``extract.limits``
long at the most; what came before it is written at once. Other inboxes go on: the scan lends its slot.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from gateway.extract.pool import ExtractPool
from gateway.extract.types import UNSUPPORTED, Extracted
from gateway.mime.types import Attachment, ParsedMessage
from gateway.records.inboxes import Inbox
from gateway.store.attachment_text import known_texts
from gateway.store.engine import Store
from gateway.sync.fetch import Delta
from gateway.sync.scan_slots import Slots

log = logging.getLogger("postern.sync")

Texts = Mapping[str, Extracted]
"""By attachment id."""

_TOGETHER = 0.5
"""Seconds a batch waits for all its attachments, before it is written piece by piece."""


class Piece(NamedTuple):
    """Some messages of a batch, with what was found in their attachments."""

    delta: Delta
    parsed: Sequence[ParsedMessage]
    texts: Texts


async def read_attachments(
    store: Store, extractor: ExtractPool, inbox: Inbox, messages: Sequence[tuple[bytes, ParsedMessage]]
) -> dict[int, asyncio.Task[dict[str, Extracted]]]:
    """A running task for each message (by its index) that has attachments; what the inbox knows is not read again."""
    wanted = {n: (raw, one.attachments) for n, (raw, one) in enumerate(messages) if one.attachments}
    if not wanted:
        return {}
    ids = [one.id for _, attachments in wanted.values() for one in attachments]
    known = await store.read(partial(known_texts, inbox_id=inbox.id, attachment_ids=ids))
    return {
        n: asyncio.create_task(_read(extractor, raw, attachments, known))
        for n, (raw, attachments) in wanted.items()
    }


async def _read(
    extractor: ExtractPool, raw: bytes, attachments: Sequence[Attachment], known: Texts
) -> dict[str, Extracted]:
    try:
        return await extractor.extract(raw, attachments, known)
    except Exception:
        # a defect of ours must not keep a mail from being shown: its attachments are read when they are asked for
        log.exception("attachments could not be read")
        return {}


async def pieces(
    store: Store,
    extractor: ExtractPool | None,
    slots: Slots,
    inbox: Inbox,
    delta: Delta,
    parsed: Sequence[ParsedMessage],
    modseq: int,
) -> AsyncGenerator[Piece, None]:
    """A batch in pieces, in order, each as soon as its attachments are read; most often there is one.

    Without an ``extractor`` (``attachments.extract`` is off) every attachment is ``unsupported``, and stays so.
    ``modseq``: the folder's cursor before this batch. It moves, with everything else but new messages, in the last.
    """
    if extractor is None:
        yield Piece(delta, parsed, {file.id: UNSUPPORTED for one in parsed for file in one.attachments})
        return
    tasks: dict[int, asyncio.Task[dict[str, Extracted]]] = {}
    if delta.state.role != "drafts":
        raws = [one.raw for one in delta.found]
        tasks = await read_attachments(store, extractor, inbox, list(zip(raws, parsed, strict=True)))
    if not tasks:
        yield Piece(delta, parsed, {})
        return
    octets = sum(len(one.raw) for one in delta.found)
    count = len(parsed)
    try:
        async with slots.lent(octets):
            await asyncio.wait(tasks.values(), timeout=_TOGETHER)
        start = 0
        while start < count:
            end = start
            while end < count and (end not in tasks or tasks[end].done()):
                end += 1
            if end == start:
                async with slots.lent(octets):
                    await asyncio.wait([tasks[start]])
                continue
            texts: dict[str, Extracted] = {}
            for n in range(start, end):
                if n in tasks:
                    texts |= tasks[n].result()
            yield Piece(_cut(delta, start, end, modseq), parsed[start:end], texts)
            start = end
    finally:
        for task in tasks.values():
            task.cancel()


def _cut(delta: Delta, start: int, end: int, modseq: int) -> Delta:
    whole = end == len(delta.found)
    return Delta(
        delta.state,
        delta.uidnext if whole else delta.found[end].uid,
        delta.modseq if whole else modseq,
        reset=delta.reset and start == 0,
        found=delta.found[start:end],
        flags=delta.flags if whole else {},
    )
