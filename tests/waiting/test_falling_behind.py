"""A waiter that falls behind its stream goes on from where it was: nothing is lost, nothing told twice."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

import anyio
import pytest

from gateway.core.errors import Unavailable
from gateway.core.mail.wait import Match, watch
from gateway.events import live
from tests.support.appended_events import received
from tests.support.filled_store import FilledStore, mail

pytestmark = pytest.mark.anyio


async def test_more_mail_than_a_stream_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_WAITING", 3)
    filled = FilledStore(tmp_path)
    core = filled.core()
    try:
        inbox = filled.inbox("bot@postern.test")
        wanted = await watch(core, filled.scope, inbox.id, Match(), None)
        told = []
        async with aclosing(wanted.arrivals()) as found:
            received(filled, core.events, inbox, mail(0))
            told.append((await anext(found)).message.subject)
            (stream,) = core.live._streams
            for number in range(1, 40):
                received(filled, core.events, inbox, mail(number))
            with anyio.fail_after(20):
                await stream.lost.wait()  # nobody reads: more came than it holds
                while len(told) < 40:
                    told.append((await anext(found)).message.subject)
            assert told == [f"mail {number}" for number in range(40)]
            assert list(core.live.open) == [f"wait:{filled.organization}"]
            core.live.closing.set()
            for one in core.live._streams:
                one.wake()
            with pytest.raises(Unavailable):
                await anext(found)
        assert not core.live.open
    finally:
        filled.store.close()
