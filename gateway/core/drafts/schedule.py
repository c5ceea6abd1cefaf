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

from gateway.core.context import Core
from gateway.core.drafts.drafts import DraftChange, rfc_id, update_draft
from gateway.core.drafts.folder import NotWhereFiled, count_copies
from gateway.core.drafts.send import send_draft, sweep
from gateway.core.errors import CoreError, NotFound, TooMany, Unavailable
from gateway.core.mail.server_copy import on_server
from gateway.records.inboxes import Inbox
from gateway.store.drafts import SHOWN
from gateway.store.engine import Row, StoreDown, Tx
from gateway.store.ids import now_us
from gateway.store.json_columns import dump, load
from gateway.store.queries.inboxes import unscoped_inbox
from gateway.store.scope import Scope

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
        due = await self._core.store.read(_due)
        went = 0
        for row in due:
            if self._again.get(row["id"], (0.0, 0))[0] <= now:
                went += await self._send(row)
        if not self._tidied:
            await self._tidy()
            self._tidied = True
        if now - self._swept >= _SWEEP_SECONDS or not self._swept:
            self._swept = now
            for row, inbox in await self._core.store.read(_leftovers):
                await sweep(self._core, inbox, row["id"])
            old = partial(_old, before=now_us() - self._grace_us)
            if await self._core.store.read(old):
                await self._core.store.write(lambda tx: _delete(tx, old(tx)))
        return went

    async def _tidy(self) -> None:
        """After a start: a kill during an edit may have left two copies in the folder, of which a person sees both, and
        only one says what the draft says. Filing it again leaves one."""
        for row, inbox in await self._core.store.read(_edited_lately):
            try:
                count = partial(count_copies, message_id=rfc_id(inbox, row["id"]))
                if await on_server(self._core, inbox.address, count) > 1:
                    log.info("draft %s of %s has several copies; it is filed again", row["id"], inbox.address)
                    scope = Scope(row["organization_id"], test=bool(row["test"]))
                    await update_draft(self._core, scope, inbox.id, row["id"], DraftChange())
            except CoreError as error:
                log.info("copies of draft %s are left as they are: %s", row["id"], error)

    async def _send(self, row: Row) -> bool:
        core, draft_id = self._core, row["id"]
        await core.store.write(
            lambda tx: tx.run(
                "UPDATE draft SET send_status = 'sending' WHERE id = ? AND send_status = 'scheduled'",
                draft_id,
            )
        )
        failures = self._again.get(draft_id, (0.0, 0))[1] + 1
        try:
            scope = Scope(row["organization_id"], test=bool(row["test"]))
            with core.memory.tab(row["organization_id"]):
                await send_draft(core, scope, row["inbox_id"], draft_id)
        except NotFound as error:
            if await core.store.read(
                lambda tx: tx.value("SELECT 1 FROM draft WHERE id = ? AND send_status = 'sending'", draft_id)
            ):
                await self._fail(draft_id, error.message)
            self._again.pop(draft_id, None)
            return False
        except NotWhereFiled as error:  # the sync removes it, or finds it where it is now
            wait = min(2.0**failures, _LONGEST_PAUSE)
            self._again[draft_id] = (time.monotonic() + wait, failures)
            log.info("draft %s of inbox %s waits %.0f s: %s", draft_id, row["inbox_id"], wait, error)
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

    async def _fail(self, draft_id: str, reason: str) -> None:
        def write(tx: Tx) -> None:
            row = tx.row("SELECT content_json, labels_json FROM draft WHERE id = ?", draft_id)
            if row is None:
                return
            content = load(row["content_json"]) | {"failure": reason}
            labels = [one for one in load(row["labels_json"]) if one != "scheduled"]
            tx.run(
                "UPDATE draft SET send_status = 'failed', content_json = ?, labels_json = ?, updated_at = ? "
                "WHERE id = ? AND send_status = 'sending'",
                dump(content),
                dump(labels),
                now_us(),
                draft_id,
            )

        await self._core.store.write(write)


def _due(tx: Tx) -> list[Row]:
    return tx.rows(
        "SELECT id, organization_id, inbox_id, test FROM draft WHERE send_at <= ? "
        "AND send_status IN ('scheduled', 'sending') ORDER BY send_at LIMIT 100",
        now_us(),
    )


def _edited_lately(tx: Tx) -> list[tuple[Row, Inbox]]:
    """Drafts that were made or changed within a day and are in their folder, each with its inbox."""
    rows = tx.rows(
        "SELECT id, inbox_id, organization_id, test FROM draft WHERE uid IS NOT NULL AND updated_at > ? "  # noqa: S608
        f"AND {SHOWN} AND (send_status IS NULL OR send_status = 'scheduled') ORDER BY updated_at DESC LIMIT 200",
        now_us() - _DAY_US,
    )
    inboxes = {inbox: unscoped_inbox(tx, inbox) for inbox in {row["inbox_id"] for row in rows}}
    return [(row, inbox) for row in rows if (inbox := inboxes[row["inbox_id"]]) is not None]


def _leftovers(tx: Tx) -> list[tuple[Row, Inbox]]:
    """Sent drafts whose copy may stand in the folder yet, each with its inbox."""
    found = []
    for row in tx.rows("SELECT id, inbox_id FROM draft WHERE send_status = 'sent' LIMIT 100"):
        inbox = unscoped_inbox(tx, row["inbox_id"])
        if inbox is not None:
            found.append((row, inbox))
    return found


def _old(tx: Tx, before: int) -> list[str]:
    """Those put away by the time ``before`` (µs), or later than now: the clock was set back since."""
    query = (
        "SELECT id FROM draft WHERE send_status = 'gone' AND (updated_at <= ? OR updated_at > ?) LIMIT 1000"
    )
    return [row["id"] for row in tx.rows(query, before, now_us() + _CLOCKS_APART_US)]


def _delete(tx: Tx, draft_ids: list[str]) -> None:
    for draft_id in draft_ids:
        tx.run("DELETE FROM draft_file WHERE draft_id = ?", draft_id)
        tx.run("DELETE FROM draft WHERE id = ?", draft_id)
