"""A mail server that does not say what changed (no QRESYNC, RFC 7162): the flags of all messages are compared."""

from pathlib import Path

import pytest
from imapclient import IMAPClient

from mailserver.imap import Client
from tests.support.waiting import until_async
from tests.sync.running_sync import mail, running_sync

pytestmark = pytest.mark.anyio


async def test_flags_and_deletions_by_a_person_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has = Client.has_capability
    monkeypatch.setattr(Client, "has_capability", lambda self, name: name != "QRESYNC" and has(self, name))
    async with running_sync(tmp_path) as one:
        await one.inbox("agent@x.test")
        for n in range(3):
            await one.deliver("agent@x.test", mail(n))

        async def arrived() -> bool:
            return len(await one.rows("SELECT 1 FROM message")) == 3

        await until_async(arrived)

        def act(client: IMAPClient) -> None:
            client.select_folder("INBOX")
            client.add_flags([1], ["\\Seen", "\\Flagged"])
            client.delete_messages([2])
            client.expunge([2])

        await one.person("agent@x.test", act)
        await one.sync.refresh("agent@x.test")
        left = await one.rows("SELECT subject FROM message ORDER BY subject")
        assert [row["subject"] for row in left] == ["mail 0", "mail 2"]
        assert await one.labels("mail 0") == {"received", "starred"}
        assert await one.labels("mail 2") == {"received", "unread"}
        assert len(await one.rows("SELECT 1 FROM event")) == 3
