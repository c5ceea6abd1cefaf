"""An outbox that is not the mail server's own process, and what the mailboxes hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from imapclient import IMAPClient

from tests.outbox.child import Borrowed
from tests.outbox.running_outbox import RunningOutbox, running_outbox
from tests.support.servers import embedded_server


@asynccontextmanager
async def borrowed(tmp_path: Path, *people: str) -> AsyncIterator[tuple[RunningOutbox, Any]]:
    """An outbox that is not the mail server's own process; answers the running and the server."""
    async with embedded_server(tmp_path / "mail") as server:
        await server.add_domain("x.test")
        for name in ("agent", *people):
            await server.add_mailbox(f"{name}@x.test", "secret")
        login, local = server.imap_login("agent@x.test"), server._delivery
        (tmp_path / "child.ini").write_text(
            "\n".join(
                [
                    login.endpoint.host,
                    str(login.endpoint.port),
                    login.user.partition("*")[2],
                    login.secret,
                    server.sent_address("agent@x.test"),
                    local._inbox.unix,
                    local._sent.unix,
                ]
            )
        )
        async with running_outbox(tmp_path, mail=lambda sink: Borrowed(tmp_path / "child.ini")) as r:
            yield r, server


async def copies(server: Any, address: str, folder: str = "INBOX") -> int:
    def count() -> int:
        end = server.access().imap
        with IMAPClient(end.host, end.port, ssl=False) as client:
            client.login(address, "secret")
            return int(client.select_folder(folder, readonly=True)[b"EXISTS"])

    return await asyncio.to_thread(count)
