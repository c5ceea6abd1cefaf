"""A new inbox is made known to the watch of inboxes, in whichever way it is made."""

from __future__ import annotations

import pytest

from gateway.core.inboxes import inboxes
from gateway.store.sql import sql
from tests.support.running_api import RunningApi

pytestmark = pytest.mark.anyio


async def test_a_new_inbox_rings(running: RunningApi) -> None:
    assert not await running.core.inbox_wake.wait(0)
    made = await running.api.post("/api/v0/inboxes", json={"username": "woken"})
    assert made.status_code in (200, 201)
    assert await running.core.inbox_wake.wait(20)
    again = await running.api.post("/api/v0/inboxes", json={"username": "woken"})
    assert again.status_code >= 400
    assert not await running.core.inbox_wake.wait(0)


async def test_an_inbox_whose_making_was_cut_short_rings_when_it_is_finished(running: RunningApi) -> None:
    await running.api.post("/api/v0/inboxes", json={"username": "cut"})
    assert await running.core.inbox_wake.wait(20)
    await running.core.store.write(
        lambda tx: sql(tx).run("UPDATE inbox SET status = 'creating' WHERE username = 'cut'")
    )
    await inboxes.finish_deletions(running.core)
    assert await running.core.inbox_wake.wait(20)
