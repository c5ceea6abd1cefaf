"""The engine that sends drafts when their time has come.

``sending`` is only a display: a draft is sent when the transaction that accepts its mail marks it ``sent``, so a
kill at any instruction leaves it due and unsent, or sent and swept later. Never both, never neither.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from functools import partial

import msgspec

from gateway.core.context import Core
from gateway.core.drafts.content import copy_message_id
from gateway.core.drafts.edit import DraftChange, update_draft
from gateway.core.drafts.folder import NotWhereFiled, count_copies
from gateway.core.drafts.labels import SCHEDULED
from gateway.core.drafts.send import send_draft, sweep
from gateway.core.errors import CoreError, NotFound, TooMany, Unavailable
from gateway.core.mail.server_copy import on_server
from gateway.records.drafts import DraftKey
from gateway.records.ids import DraftId, now_us
from gateway.records.inboxes import Inbox
from gateway.store.engine import StoreDown
from gateway.store.queries.drafts import (
    begin_sending_draft,
    draft_is_being_sent,
    note_draft_failure,
    remove_draft,
    unscoped_draft,
    unscoped_drafts_changed_since,
    unscoped_due_drafts,
    unscoped_emptied_drafts,
    unscoped_sent_drafts,
)
from gateway.store.queries.inboxes import unscoped_inbox
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

log = logging.getLogger("postern.drafts")

_SWEEP_SECONDS = 30.0
_LONGEST_PAUSE = 300.0
_GRACE_SECONDS = 120.0
_MAX_SURPRISES = 5
_CLOCKS_APART_US = 60_000_000
_DAY_US = 86_400_000_000


class DraftScheduler:
    """Sends due drafts, looking every ``interval`` seconds, and deletes those put away ``grace`` seconds ago."""

    def __init__(self, core: Core, interval: float = 1.0, grace: float = _GRACE_SECONDS) -> None:
        self._core = core
        self._interval = interval
        self._grace_us = int(grace * 1_000_000)
        self._task: asyncio.Task[None] | None = None
        self._again: dict[str, tuple[float, int]] = {}  # draft → (not before, failures)
        self._swept = 0.0
        self._tidied = False

    async def start(self) -> None:
        """Start looking; drafts that fell due while nothing ran go at once."""
        self._task = asyncio.create_task(self._run(), name="draft-schedule")

    async def stop(self) -> None:
        """Finish nothing, lose nothing: what is under way is either accepted or still due."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        while True:
            try:
                await self.pass_once()
            except (StoreDown, CoreError) as error:
                log.warning("scheduled drafts wait: %s", error)
            except Exception:
                log.exception("a pass over scheduled drafts failed")
            await asyncio.sleep(self._interval)

    async def pass_once(self) -> int:
        """Send everything due; answers how many went."""
        if not self._core.leases.holds(("drafts", 0)):
            return 0
        now = time.monotonic()
        due = await self._core.store.read(lambda tx: unscoped_due_drafts(tx, now_us()))
        went = 0
        for draft in due:
            if self._again.get(draft.id, (0.0, 0))[0] <= now:
                went += await self._send(draft)
        if not self._tidied:
            await self._tidy()
            self._tidied = True
        if now - self._swept >= _SWEEP_SECONDS or not self._swept:
            self._swept = now
            for draft, inbox in await self._core.store.read(_leftovers):
                await sweep(self._core, inbox, draft.id)
            old = partial(_old, before=now_us() - self._grace_us)
            if await self._core.store.read(old):
                await self._core.store.write(lambda tx: _delete(tx, old(tx)))
        return went

    async def _tidy(self) -> None:
        """After a start: a kill during an edit may have left two copies in the folder, of which a person sees both, and
        only one says what the draft says. Filing it again leaves one."""
        for draft, inbox in await self._core.store.read(_edited_lately):
            try:
                count = partial(count_copies, message_id=copy_message_id(inbox, draft.id))
                if await on_server(self._core, inbox.address, count) > 1:
                    log.info("draft %s of %s has several copies; it is filed again", draft.id, inbox.address)
                    scope = Scope(draft.organization_id, test=draft.test)
                    await update_draft(self._core, scope, inbox.id, draft.id, DraftChange())
            except CoreError as error:
                log.info("copies of draft %s are left as they are: %s", draft.id, error)

    async def _send(self, draft: DraftKey) -> bool:
        core, draft_id = self._core, draft.id
        await core.store.write(lambda tx: begin_sending_draft(tx, draft_id))
        failures = self._again.get(draft_id, (0.0, 0))[1] + 1
        try:
            scope = Scope(draft.organization_id, test=draft.test)
            with core.memory.tab(draft.organization_id):
                await send_draft(core, scope, draft.inbox_id, draft_id)
        except NotFound as error:
            if await core.store.read(lambda tx: draft_is_being_sent(tx, draft_id)):
                await self._fail(draft_id, error.message)
            self._again.pop(draft_id, None)
            return False
        except NotWhereFiled as error:  # the sync removes it, or finds it where it is now
            wait = min(2.0**failures, _LONGEST_PAUSE)
            self._again[draft_id] = (time.monotonic() + wait, failures)
            log.info("draft %s of inbox %s waits %.0f s: %s", draft_id, draft.inbox_id, wait, error)
            return False
        except (Unavailable, TooMany) as error:
            wait = max(float(error.retry_after), min(2.0**failures, _LONGEST_PAUSE))
            self._again[draft_id] = (time.monotonic() + wait, failures)
            log.info("draft %s waits %.0f s: %s", draft_id, wait, error)
            return False
        except CoreError as error:
            await self._fail(draft_id, error.message)
            self._again.pop(draft_id, None)
            return False
        except StoreDown:
            raise
        except Exception:
            log.exception("draft %s could not be sent", draft_id)
            self._again[draft_id] = (time.monotonic() + min(2.0**failures, _LONGEST_PAUSE), failures)
            if failures >= _MAX_SURPRISES:
                await self._fail(draft_id, "an unexpected error; it is in the log")
            return False
        self._again.pop(draft_id, None)
        return True

    async def _fail(self, draft_id: DraftId, reason: str) -> None:
        def write(tx: Tx) -> None:
            draft = unscoped_draft(tx, draft_id)
            if draft is not None:
                content = msgspec.structs.replace(draft.content, failure=reason)
                labels = [label for label in draft.labels if label != SCHEDULED]
                note_draft_failure(tx, draft_id, content, labels, now_us())

        await self._core.store.write(write)


def _edited_lately(tx: Tx) -> list[tuple[DraftKey, Inbox]]:
    """Drafts that were made or changed within a day and are in their folder, each with its inbox."""
    return _with_inboxes(tx, unscoped_drafts_changed_since(tx, now_us() - _DAY_US))


def _leftovers(tx: Tx) -> list[tuple[DraftKey, Inbox]]:
    """Sent drafts whose copy may still be in the folder, each with its inbox."""
    return _with_inboxes(tx, unscoped_sent_drafts(tx))


def _with_inboxes(tx: Tx, drafts: list[DraftKey]) -> list[tuple[DraftKey, Inbox]]:
    inboxes = {inbox_id: unscoped_inbox(tx, inbox_id) for inbox_id in {one.inbox_id for one in drafts}}
    return [(draft, inbox) for draft in drafts if (inbox := inboxes[draft.inbox_id]) is not None]


def _old(tx: Tx, before: int) -> list[DraftId]:
    """Those put away by the time ``before`` (µs), or later than now: the clock was set back since."""
    return unscoped_emptied_drafts(tx, before, now_us() + _CLOCKS_APART_US)


def _delete(tx: Tx, draft_ids: list[DraftId]) -> None:
    for draft_id in draft_ids:
        remove_draft(tx, draft_id)
