"""What the API sends says that a program wrote it, where the operator wants that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from gateway.core.guard.auto_submitted import Marking
from gateway.core.sending.send import SendRequest, send
from gateway.mime.headers import split_head
from tests.outbox.running_outbox import SCOPE, running_outbox

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("marking", "found"), [("off", ["", "", "no"]), ("all", ["auto-generated", "auto-replied", "no"])]
)
async def test_sends_and_answers_are_marked_and_the_callers_header_stays(
    tmp_path: Path, marking: Marking, found: list[str]
) -> None:
    async with running_outbox(tmp_path) as r:
        guard = msgspec.structs.replace(r.core.settings.guard, auto_submitted=marking)
        core = replace(r.core, settings=msgspec.structs.replace(r.core.settings, guard=guard))
        inbox = await r.inbox()
        to, answers = ["bob@world.test"], "<1@world.test>"
        for request in (
            SendRequest(to=to, text="t"),
            SendRequest(to=to, text="t", in_reply_to=answers, references=[answers]),
            SendRequest(to=to, text="t", in_reply_to=answers, headers={"auto-submitted": "no"}),
        ):
            await r.settled((await send(core, SCOPE, inbox, request)).message_id)
        heads = [split_head(one) for one in r.sink.copies("bob@world.test")]
        assert [one.text("auto-submitted") for one in heads] == found
