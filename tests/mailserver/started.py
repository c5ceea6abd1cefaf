"""A mail server that a whole file of tests shares: it runs in a thread of its own, the tests talk to it as clients."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from mailserver.base import Endpoint
from tests.support.servers import embedded_server, postfix_server

ALICE, BOB = "alice@x.test", "bob@x.test"


class Started:
    """The server with two mailboxes, whose people have the password ``secret``. ``call`` runs a coroutine function."""

    def __init__(self, server: Any, portal: BlockingPortal) -> None:
        self.server = server
        self.call = portal.call
        access = server.access()
        self.smtp: Endpoint = access.smtp
        self.imap: Endpoint = access.imap
        self.submission: Endpoint = access.submission
        self.data: Path = server.settings.data_dir

    def log(self, daemon: str) -> str:
        return (self.data / daemon / f"{daemon}.log").read_text("utf-8", "replace")


@contextmanager
def started(kind: str = "postfix", **overrides: Any) -> Iterator[Started]:
    """Start it, with fields of its settings as ``overrides``."""
    make = postfix_server if kind == "postfix" else embedded_server
    with (
        tempfile.TemporaryDirectory() as scratch,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(make(Path(scratch), **overrides)) as server,
    ):
        portal.call(server.add_domain, "x.test")
        for address in (ALICE, BOB):
            portal.call(server.add_mailbox, address, "secret")
        yield Started(server, portal)
