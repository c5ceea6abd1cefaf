"""``postern rebuild``: the same messages, threads, labels and read state; nothing announced again."""

from pathlib import Path

import pytest

from gateway.sync.rebuild import rebuild
from tests.sync.rig import Rig, mail, rig, until

pytestmark = pytest.mark.anyio

_FACTS = (
    "SELECT id, thread_id, direction, subject, rfc_message_id, timestamp, seen, hidden, size, preview "
    "FROM message ORDER BY id"
)
_THREADS = "SELECT id, subject, message_count, last_message_id, unread, timestamp FROM thread ORDER BY id"
_LABELS = "SELECT message_id, label FROM label ORDER BY message_id, label"


async def _facts(one: Rig) -> list[list[object]]:
    return [await one.rows(sql) for sql in (_FACTS, _THREADS, _LABELS)]  # type: ignore[misc]


async def test_a_rebuild_finds_everything_as_it_was(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.inbox("agent@x.test")
        for n in range(12):
            extra = f"In-Reply-To: <m{n - 1}@world.test>\r\n" if n % 3 else ""
            await one.deliver("agent@x.test", mail(n, extra=extra))
        await until(lambda: _count(one, 12))

        def act(client) -> None:  # type: ignore[no-untyped-def]
            client.select_folder("INBOX")
            client.add_flags([1, 5], ["\\Seen"])
            client.add_flags([2], ["=c3=a4nder=20es", "todo"])
            client.move([3], "Junk")
            client.append(
                "Sent", b"From: agent@x.test\r\nSubject: s\r\nIn-Reply-To: <m0@world.test>\r\n\r\nx\r\n"
            )

        await one.person("agent@x.test", act)
        await until(lambda: _count(one, 13))
        await one.sync.refresh("agent@x.test")
        before = await _facts(one)
        assert any(row["label"] == "änder es" for row in before[2])  # type: ignore[index]
        events = await one.rows("SELECT id FROM event ORDER BY id")
        await one.sync.stop()
        seen: list[tuple[int, int]] = []
        done = await rebuild(
            one.store, one.imap, one.parser, on_progress=lambda address, n, total: seen.append((n, total))
        )
        assert done == 13
        assert seen[-1] == (13, 13)
        assert await _facts(one) == before
        await one.sync.start()
        await one.sync.refresh("agent@x.test")
        assert await _facts(one) == before
        assert await one.rows("SELECT id FROM event ORDER BY id") == events


async def _count(one: Rig, n: int) -> bool:
    return len(await one.rows("SELECT 1 FROM message")) == n


async def test_a_rebuild_keeps_what_was_decided_on_arrival(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        inbox = await one.inbox("agent@x.test")
        await one.deliver("agent@x.test", mail("before"))
        await until(lambda: _count(one, 1))
        await one.block(inbox)
        await one.deliver("agent@x.test", mail("under the rule"))
        await until(lambda: _count(one, 2))

        def back_and_forth(client) -> None:  # type: ignore[no-untyped-def]
            client.select_folder("INBOX")
            client.move([1], "Junk")
            client.select_folder("Junk")
            client.move([1], "INBOX")

        await one.person("agent@x.test", back_and_forth)
        await one.sync.refresh("agent@x.test")
        await one.store.write(lambda tx: tx.run("DELETE FROM list_entry"))
        before = await _facts(one)
        assert "blocked" in await one.labels("mail under the rule")
        assert "blocked" not in await one.labels("mail before")
        await one.sync.stop()
        await rebuild(one.store, one.imap, one.parser)
        assert await _facts(one) == before
