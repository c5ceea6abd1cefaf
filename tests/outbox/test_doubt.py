"""What our mail server may have taken is looked up before it is tried again, however long that cannot be done."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import pytest

from gateway.core.sending.send import SendRequest, send
from gateway.store.queries.aliases import put_alias
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from mailserver.base import Envelope, Hop
from mailserver.embedded.local import LocalDelivery
from tests.outbox.borrowed import borrowed, copies
from tests.outbox.running_outbox import ORG, SCOPE, RunningOutbox, running_outbox
from tests.outbox.sink import SinkMail
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


async def unrecorded(r: RunningOutbox, mime: bytes, where: str = "1 = 1") -> None:
    """As if the process had ended after the 250, before it wrote that down."""
    await r.outbox.stop()

    def crash(tx: Tx) -> None:
        sql(tx).run("UPDATE outbox SET state = 'queued', mime = ?, next_at = 0, claimed_until = 1", mime)
        sql(tx).run(f"UPDATE outbox_recipient SET state = 'attempting' WHERE {where}")

    await r.core.store.write(crash)


async def mime_of(r: RunningOutbox, message_id: str) -> bytes:
    return bytes(await r.value("SELECT mime FROM outbox WHERE id = ?", message_id))


async def test_the_doubt_stays_while_the_mailboxes_cannot_be_looked_into(tmp_path: Path) -> None:
    async with borrowed(tmp_path, "friend") as (r, server):
        agent = await r.inbox()
        await r.inbox("friend@x.test")
        await r.outbox.stop()
        sent = await send(r.core, SCOPE, agent, SendRequest(to=["friend@x.test"], text="t"))
        mime = await mime_of(r, sent.message_id)
        await r.outbox.start()
        await r.settled(sent.message_id)
        await unrecorded(r, mime)
        mail: Any = r.core.mail
        port, mail.port = mail.port, "1"
        await r.core.imap.drop("friend@x.test")
        await r.outbox.start()

        async def looked_three_times() -> bool:
            tries = await r.value("SELECT attempts FROM outbox WHERE id = ?", sent.message_id)
            return int(tries) > 3

        await until_async(looked_three_times, 30)
        assert set((await r.states(sent.message_id)).values()) == {"attempting"}
        assert await copies(server, "friend@x.test") == 1
        assert await copies(server, "agent@x.test", "Sent") == 1
        noted = await r.rows("SELECT diagnostic FROM outbox_recipient")
        assert all("cannot be looked up now" in row["diagnostic"] for row in noted)

        mail.port = port
        assert set((await r.settled(sent.message_id, 30)).values()) == {"delivered"}
        assert await copies(server, "friend@x.test") == 1
        assert await copies(server, "agent@x.test", "Sent") == 1


async def test_who_is_not_in_doubt_does_not_wait_for_who_is(tmp_path: Path) -> None:
    async with borrowed(tmp_path, "friend", "other") as (r, server):
        agent = await r.inbox()
        await r.inbox("friend@x.test")
        await r.inbox("other@x.test")
        await r.outbox.stop()
        request = SendRequest(to=["friend@x.test", "other@x.test"], text="t")
        sent = await send(r.core, SCOPE, agent, request)
        mime = await mime_of(r, sent.message_id)
        await unrecorded(r, mime, "address = 'friend@x.test'")
        mail: Any = r.core.mail
        port, mail.port = mail.port, "1"
        await r.outbox.start()

        async def others_have_it() -> bool:
            states = await r.states(sent.message_id)
            return states["other@x.test"] == states["sent"] == "delivered"

        await until_async(others_have_it, 30)
        assert (await r.states(sent.message_id))["friend@x.test"] == "attempting"
        assert await copies(server, "friend@x.test") == 0
        mail.port = port
        assert set((await r.settled(sent.message_id, 30)).values()) == {"delivered"}
        assert [await copies(server, one) for one in ("friend@x.test", "other@x.test")] == [1, 1]


async def test_patience_does_not_bounce_what_may_be_there(tmp_path: Path) -> None:
    async with borrowed(tmp_path, "friend") as (r, _server):
        agent = await r.inbox()
        await r.inbox("friend@x.test")
        await r.outbox.stop()
        sent = await send(r.core, SCOPE, agent, SendRequest(to=["friend@x.test"], text="t"))
        mime = await mime_of(r, sent.message_id)
        await r.outbox.start()
        await r.settled(sent.message_id)
        await unrecorded(r, mime)
        await r.core.store.write(lambda tx: sql(tx).run("UPDATE outbox SET created_at = 1"))
        mail: Any = r.core.mail
        port, mail.port = mail.port, "1"
        await r.core.imap.drop("friend@x.test")
        await r.outbox.start()

        async def looked() -> bool:
            return bool(await r.value("SELECT 1 FROM outbox_recipient WHERE diagnostic LIKE '%looked up%'"))

        await until_async(looked, 30)
        mail.port = port
        assert set((await r.settled(sent.message_id, 30)).values()) == {"delivered"}
        assert "message.bounced" not in [kind for kind, _ in await r.events()]


class Cut:
    """A way to Dovecot's LMTP that passes everything on but, ``times`` times, the answer to the message."""

    def __init__(self, path: Path, behind: str, times: int) -> None:
        self.path, self.behind, self.times = path, behind, times
        self.server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_unix_server(self._serve, str(self.path))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.server is not None
        self.server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(self.behind)

        async def forward() -> None:
            while data := await reader.read(65536):
                back.write(data)
                await back.drain()

        going = asyncio.create_task(forward())
        given = False
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            while line := await there.readline():
                if given and self.times > 0:
                    self.times -= 1
                    break
                given = line.startswith(b"354")
                writer.write(line)
                await writer.drain()
        going.cancel()
        writer.close()
        back.close()


async def test_an_answer_that_was_lost_is_looked_up(tmp_path: Path) -> None:
    """Dovecot stores the message and dies before its 250 is read: by the socket, and for both kinds of copy."""
    async with AsyncExitStack() as stack:
        r, server = await stack.enter_async_context(borrowed(tmp_path, "friend"))
        mail: Any = r.core.mail
        local = mail.local
        cuts = [
            await stack.enter_async_context(Cut(tmp_path / name, path, 1))
            for name, path in (("inbox", local._inbox.unix), ("sent", local._sent.unix))
        ]
        mail.local = LocalDelivery(tmp_path / "inbox", tmp_path / "sent", "mail.x.test", 2)
        agent = await r.inbox()
        await r.inbox("friend@x.test")
        sent = await send(r.core, SCOPE, agent, SendRequest(to=["friend@x.test"], text="t"))
        assert set((await r.settled(sent.message_id, 30)).values()) == {"delivered"}
        assert [one.times for one in cuts] == [0, 0]
        assert await copies(server, "friend@x.test") == 1
        assert await copies(server, "agent@x.test", "Sent") == 1
        await local.close()


async def test_an_alias_is_looked_up_where_it_leads(tmp_path: Path) -> None:
    async with borrowed(tmp_path, "friend") as (r, server):
        agent = await r.inbox()
        friend = await r.inbox("friend@x.test")
        await server.set_alias("pal@x.test", ["friend@x.test"])
        await r.core.store.write(lambda tx: put_alias(tx, ORG, "pal@x.test", [friend.id]))
        await r.outbox.stop()
        sent = await send(r.core, SCOPE, agent, SendRequest(to=["pal@x.test"], text="t"))
        mime = await mime_of(r, sent.message_id)
        await r.outbox.start()
        await r.settled(sent.message_id)
        await unrecorded(r, mime)
        await r.outbox.start()
        assert set((await r.settled(sent.message_id, 30)).values()) == {"delivered"}
        assert await copies(server, "friend@x.test") == 1


class Relay(SinkMail):
    """A mail server that takes every recipient in one submission, as Postfix does."""

    def plan(self, recipients: Any) -> list[Hop]:
        return [Hop("submission", "relay", tuple(recipients))]

    async def was_submitted(self, envelope: Envelope) -> bool:
        return await super().was_submitted(envelope)


async def test_a_copy_of_an_earlier_attempt_proves_nothing_of_a_later_one(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, mail=Relay) as r:
        agent = await r.inbox()
        await r.outbox.stop()
        request = SendRequest(to=["bob@world.test", "later@world.test"], text="t")
        sent = await send(r.core, SCOPE, agent, request)
        await r.outbox.start()

        async def first_try() -> bool:
            return (await r.states(sent.message_id))["bob@world.test"] == "sent"

        await until_async(first_try)
        await r.outbox.stop()

        def crash(tx: Tx) -> None:
            sql(tx).run("UPDATE outbox SET next_at = 0, claimed_until = 1")
            sql(tx).run(
                "UPDATE outbox_recipient SET state = 'attempting' WHERE address LIKE 'later%' "
                "AND state = 'queued'"
            )

        await r.core.store.write(crash)
        await r.outbox.start()
        assert set((await r.settled(sent.message_id)).values()) == {"sent"}
        assert len(r.sink.copies("later@world.test")) == 1
        assert len(r.sink.copies("bob@world.test")) == 1
