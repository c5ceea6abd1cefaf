"""What people may submit with a mail client is decided as for sends by the API, but without limits and prices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from gateway.core.errors import TooMany, Unpaid
from gateway.core.inboxes import list_entries
from gateway.core.sending import submissions, suppressions
from gateway.core.sending.reputation import change_inbox
from gateway.core.sending.send import SendRequest, send
from gateway.settings import Wallet
from mailserver.base import MailServerError, Submission
from tests.outbox.running_outbox import SCOPE, RunningOutbox, running_outbox

pytestmark = pytest.mark.anyio


async def submit(r: RunningOutbox, *recipients: str, sender: str = "agent@x.test") -> str:
    data = f"From: {sender}\r\nSubject: s\r\n\r\nhi\r\n".encode()
    return await submissions.accept(r.core, Submission("agent@x.test", sender, recipients, data))


async def test_each_rule_refuses_with_its_reason(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        await suppressions.add(r.core, SCOPE, "Bob@world.test", "complaint")
        await list_entries.add(r.core, SCOPE, "send", "block", "blocked.test")
        for recipients, sender, reason in (
            ((), "agent@x.test", "no recipients"),
            (("ann@world.test",), "boss@x.test", "the sender must be agent@x.test"),
            (("ann@world.test", "eve@blocked.test"), "agent@x.test", "eve@blocked.test is blocked by a list"),
            (("ann@world.test", "bob@world.test"), "agent@x.test", "bob@world.test is suppressed"),
        ):
            with pytest.raises(MailServerError, match=reason):
                await submit(r, *recipients, sender=sender)
        await r.core.store.write(lambda tx: change_inbox(tx, r.core, inbox, "abuse"))
        with pytest.raises(MailServerError, match="suspended"):
            await submit(r, "ann@world.test")
        assert await r.value("SELECT count(*) FROM outbox") == 0


async def test_the_limits_and_prices_of_programs_are_not_for_people(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, start=False, sends_per_minute=1, cold_inbox=1) as r:
        inbox = await r.inbox()
        wallet = Wallet(enabled=True, new_account_mills=0)
        r.core = replace(r.core, settings=msgspec.structs.replace(r.core.settings, wallet=wallet))
        for _ in range(3):
            await submit(r, "ann@world.test", "bob@world.test")
        with pytest.raises((TooMany, Unpaid)):
            await send(r.core, SCOPE, inbox, SendRequest(to=["ann@world.test", "bob@world.test"]))
        assert await r.value("SELECT count(*) FROM outbox") == 3
