"""A mail server without the gateway, for comparison: ``python -m scripts.bench.bare SERVER MAILBOXES SMARTHOST_PORT``.

Prints one JSON line with its ports and addresses, then answers each line of standard input with one:
``stored N`` waits until N mails were stored (told by the push doorbell) and answers the monotonic time of the
last. Ends with standard input.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mailserver.base import Hint
from mailserver.embedded.settings import Smarthost
from tests.servers import embedded_server, postfix_server

DOMAIN = "bare.test"
PASSWORD = "bare-bench-password"


class Stored:
    """Counts the mails the doorbell told of."""

    def __init__(self) -> None:
        self.count = 0
        self.last = 0.0
        self._more = asyncio.Event()

    def hint(self, hint: Hint) -> None:
        if hint.kind == "new" and (hint.folder or "").upper() == "INBOX":
            self.count += 1
            self.last = time.monotonic()
            self._more.set()

    async def wait(self, count: int, patience: float = 120.0) -> float:
        try:
            async with asyncio.timeout(patience):
                await self._wait(count)
        except TimeoutError:
            raise RuntimeError(f"only {self.count} of {count} mails were stored") from None
        return self.last

    async def _wait(self, count: int) -> None:
        while self.count < count:
            self._more.clear()
            await self._more.wait()


async def main(server: str, mailboxes: int, smarthost: int) -> None:
    stored = Stored()
    options: dict[str, Any] = {}
    if smarthost:
        options["smarthost"] = Smarthost(host="127.0.0.1", port=smarthost, tls="none")
    start = embedded_server if server == "embedded" else postfix_server
    with TemporaryDirectory(prefix="bare-") as folder:
        async with start(Path(folder), on_hint=stored.hint, **options) as running:
            await running.add_domain(DOMAIN)
            addresses = [f"box-{number}@{DOMAIN}" for number in range(mailboxes)]
            for address in addresses:
                await running.add_mailbox(address, PASSWORD if address == addresses[0] else None)
            access = running.access()
            _print({"smtp": access.smtp.port, "submission": access.submission.port, "addresses": addresses})
            while line := await asyncio.to_thread(sys.stdin.readline):
                command, _, count = line.strip().partition(" ")
                if command == "stored":
                    _print(await stored.wait(int(count)))


def _print(value: object) -> None:
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
