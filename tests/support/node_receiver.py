"""Node programs that receive webhooks, and letters that try their parsers."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

from tests.support.mails import new_mail

node = shutil.which("node")

# What each program begins with: the secret is what its standard input said last. It says so, since Node may read the
# post that comes after that line before the line.
_TRUST = """
let secret = "";
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  secret = line;
  console.log(JSON.stringify({ trusts: secret }));
});
"""


class Receiver:
    """A running program. Its first line of output is ``{"port": …}``, each further one what it made of a post."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.next()['port']}/webhooks"

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)

    def next(self) -> Any:
        """What it says next."""
        return json.loads(self._lines.get(timeout=20))

    def trust(self, secret: str) -> None:
        """Tell it the secret, on its standard input; it has taken it on return."""
        assert self._process.stdin is not None
        self._process.stdin.write(secret + "\n")
        self._process.stdin.flush()
        assert self.next() == {"trusts": secret}


@contextmanager
def receiver(script: str) -> Iterator[Receiver]:
    """A started program that may read ``secret``, which is what it was last told to trust."""
    assert node is not None
    process = subprocess.Popen(
        [node, "-e", _TRUST + script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Receiver(process)
    finally:
        process.kill()
        process.communicate()


HOSTILE = (
    "quotes \" ' ` \\ </script> \u2028 \u2029 \x7f \x1b[31m \u00a0 \ufeff\n"
    "Grüße, 日本語, \U0001f600 \U0001f468\u200d\U0001f469, \t tabs, \\u0041 and \\n as text\n"
)


def letters(to: str) -> Iterator[EmailMessage | bytes]:
    """Mails whose text, names and header fields are hard to write as JSON."""
    plain = new_mail(to, 'Hostile — "subject" \\ 日本 😀', HOSTILE)
    plain.add_attachment(b"x", maintype="text", subtype="plain", filename='od"d \\ größe/😀.txt')
    plain.add_attachment(b"<p>x</p>", maintype="text", subtype="html", filename="<b>.html")
    yield plain
    head = f"From: =?utf-8?q?=00=ED=A0=80?= <x@abroad.test>\r\nTo: {to}\r\nMessage-ID: <2@abroad.test>\r\n"
    yield (
        head + "Subject: =?utf-8?b?7aCA?= lone surrogate\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    ).encode() + b"bad \xff\xfe utf-8, NUL-free controls \x01\x02\x08\x0b\x0c\x1f\x7f end\r\n"
    yield f"To: {to}\r\nMessage-ID: <3@abroad.test>\r\n\r\n".encode()
