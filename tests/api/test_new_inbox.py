"""A new inbox is made known to the watch of inboxes, in whichever way it is made."""

from __future__ import annotations

import pytest

from gateway.core.inboxes import inboxes
from gateway.store.sql import sql
from tests.api.rig import Rig

pytestmark = pytest.mark.anyio


async def test_a_new_inbox_rings(house: Rig) -> None:
    assert not await house.core.inbox_wake.wait(0)
    made = await house.api.post("/api/v0/inboxes", json={"username": "woken"})
    assert made.status_code in (200, 201)
    assert await house.core.inbox_wake.wait(20)
    again = await house.api.post("/api/v0/inboxes", json={"username": "woken"})
    assert again.status_code >= 400
    assert not await house.core.inbox_wake.wait(0)


async def test_an_inbox_whose_making_was_cut_short_rings_when_it_is_finished(house: Rig) -> None:
    await house.api.post("/api/v0/inboxes", json={"username": "cut"})
    assert await house.core.inbox_wake.wait(20)
    await house.core.store.write(
        lambda tx: sql(tx).run("UPDATE inbox SET status = 'creating' WHERE username = 'cut'")
    )
    await inboxes.finish_deletions(house.core)
    assert await house.core.inbox_wake.wait(20)
